// Shown instead of a screen when the API wants a token. The token is traded for a cookie that scripts
// cannot read; the console keeps nothing of it.
import { useState } from 'preact/hooks';

import { ApiError, signIn } from '../api/client';
import { setSignedOut } from '../api/session';
import { visibleText } from '../format/text';

export function TokenForm() {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      await signIn(token);
      setSignedOut(false);
    } catch (error) {
      const wrong = error instanceof ApiError && error.status === 401;
      setProblem(wrong ? 'That token is not the right one.' : visibleText(String((error as Error).message)));
      setBusy(false);
    }
  };

  return (
    <form class="token-form" onSubmit={submit} data-testid="token-form">
      <h1>This Weir asks for a token</h1>
      <p>
        It is the <code>token</code> in the <code>[inputs.weir.http]</code> part of the configuration.
      </p>
      <label>
        Token
        <input
          type="password"
          autocomplete="current-password"
          data-testid="token"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <p class="problem" role="alert">
        {problem}
      </p>
      <button type="submit" class="button primary" disabled={busy || token === ''}>
        Open
      </button>
    </form>
  );
}
