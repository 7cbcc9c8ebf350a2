// Whether the API wants a token first. Any request that is answered with 401 says so here; the shell
// then shows the token form, and what is shown afterwards is asked for again.

let signedOut = false;
const listeners = new Set<() => void>();

export function setSignedOut(value: boolean): void {
  if (signedOut === value) return;
  signedOut = value;
  for (const listener of listeners) listener();
}

export function isSignedOut(): boolean {
  return signedOut;
}

export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
