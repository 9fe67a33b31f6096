import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { EncodeError } from '../../data/tokenizers/tokenizer.js';

/** What clients read of an error: the one form of every answer that is none, and of an error within a stream. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    /** The parameter that is at fault. */
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** More of an error than its message. */
export interface HttpErrorOptions extends ErrorOptions {
  readonly param?: string | null;
  readonly code?: string | null;
  /** Of {@link ErrorBody}; by default what the status stands for. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

/**
 * An answer that tells what went wrong. Clients ask again by themselves at 408, 409, 429 and from 500 on: what would fail
 * again has another status, or forbids it.
 */
export class HttpError extends Error {
  override name = 'HttpError';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;

  constructor(
    readonly status: number,
    message: string,
    { param = null, code = null, type, headers = {}, ...options }: HttpErrorOptions = {},
  ) {
    super(message, options);
    this.headers = headers;
    const kind = type ?? TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error');
    this.body = { error: { message, type: kind, param, code } };
  }
}

/** A parameter that cannot be as it came. */
export function wrongParameter(param: string, message: string, code: string | null = null): HttpError {
  return new HttpError(400, message, { param, code });
}

/** For what would fail again just so. */
export const FINAL = { 'x-should-retry': 'false' } as const;

/**
 * What a client is told of anything thrown. What is no fault of the request is told without its words, which may name
 * files of this machine.
 *
 * @param retrySeconds when a busy server is worth asking again
 */
export function asHttpError(error: unknown, retrySeconds: () => number = () => 1): HttpError {
  if (error instanceof HttpError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'BusyError')
    return new HttpError(429, 'The model has as many requests waiting as it may. Ask again later.', {
      code: 'rate_limit_exceeded',
      headers: { 'retry-after': String(secondsOf(error) ?? retrySeconds()) },
      cause: error,
    });
  if (name === 'AbortError')
    return new HttpError(499, 'The request was given up.', { code: 'request_aborted', cause: error });
  if (error instanceof UsageError || error instanceof EncodeError)
    return new HttpError(400, withoutPaths(messageOf(error)), { cause: error });
  const message =
    error instanceof MeanfieldError
      ? 'The model cannot answer this. What is wrong stands in the log of the server.'
      : 'The server has failed. What is wrong stands in its log.';
  return new HttpError(500, message, { cause: error });
}

/** What a busy model says of it itself. */
function secondsOf(error: unknown): number | undefined {
  const { retrySeconds } = error as { retrySeconds?: unknown };
  return typeof retrySeconds === 'number' && retrySeconds > 0 ? Math.ceil(retrySeconds) : undefined;
}

/** A message in which whatever may be a path of this machine is left out. */
export function withoutPaths(message: string): string {
  return message.replace(/(?<![\w.:])(?:[A-Za-z]:[\\/]|\.{0,2}\/)[^\s'"`:,;()]*[\w/]/g, '…');
}
