// Requests to the API, and its errors as values of one type.
//
// Addresses are relative to the page, so the console also works behind a proxy's path prefix.

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    readonly code: string,
    message: string,
    readonly field: string | null = null,
  ) {
    super(message);
  }

  // Errors of the search expression say where: "... at 12", characters from 0.
  get position(): number | null {
    const match = / at (\d+)$/.exec(this.message);
    return this.field === 'q' && match ? Number(match[1]) : null;
  }
}

export type Params = Record<string, string | number | undefined>;

// Parameters without a value are left out.
export function apiUrl(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') query.set(key, String(value));
  }
  const search = query.toString();
  return `api/v1/${path}${search ? `?${search}` : ''}`;
}

async function request(url: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'same-origin', cache: 'no-store', ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', 'Weir does not answer. Is it running?');
  }
  const body = await readBody(response);
  if (!response.ok) throw errorOf(response.status, body);
  return body;
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    if (!response.ok) return null;
    throw new ApiError(response.status, 'not_json', 'The answer was not JSON.');
  }
}

function errorOf(status: number, body: unknown): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown; field?: unknown } } | null)?.error;
  const message = typeof error?.message === 'string' ? error.message : `Weir answered with status ${status}.`;
  const code = typeof error?.code === 'string' ? error.code : `status_${status}`;
  return new ApiError(status, code, message, typeof error?.field === 'string' ? error.field : null);
}

export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  return (await request(url, { signal: signal ?? null })) as T;
}

// Trades a token for the session cookie. Throws ApiError 401 when it is wrong.
export async function signIn(token: string): Promise<void> {
  await request('api/v1/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  });
}
