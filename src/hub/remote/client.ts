import { setTimeout as wait } from 'node:timers/promises';
import packageFile from '../../../package.json' with { type: 'json' };
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { printableLine } from '../../base/printable.js';
import type { HubSettings } from './settings.js';

/** Tries of one request. */
const TRIES = 5;
/** That there is no such machine, or nobody listens: rarely for a moment. */
const NOBODY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED/;
/** Seconds before the second try; each further one waits twice as long. */
const PAUSE = 1;
/** The longest that a server's `Retry-After` is followed, in seconds. */
const LONGEST_PAUSE = 60;
/** Milliseconds in which an answer must begin, or a body must go on. */
export const PATIENCE_MS = 30_000;
/** The longest answer that is no file, in bytes: lists of files come in pages of a thousand. */
const LONGEST_ANSWER = 64 * 2 ** 20;
/** Of what a server says of its refusal, in characters. */
const LONGEST_REASON = 300;

/** What may be otherwise in tests. */
export interface ClientOptions {
  readonly signal?: AbortSignal | undefined;
  /** Waits so many seconds before another try. */
  readonly pause?: ((seconds: number) => Promise<void>) | undefined;
}

/** Asks the hub about one model, again where it is busy. */
export class HubClient {
  readonly signal: AbortSignal | undefined;
  readonly pause: (seconds: number) => Promise<void>;

  /** @param name `org/name`, for messages */
  constructor(
    readonly settings: HubSettings,
    readonly name: string,
    { signal, pause }: ClientOptions = {},
  ) {
    this.signal = signal;
    this.pause = pause ?? ((seconds) => wait(seconds * 1000, undefined, { ...(signal && { signal }) }));
  }

  /** For `@huggingface/hub`: an answer in full. Errors as {@link request}. */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    for (let trial = 1; ; trial++) {
      const response = await this.request(url, init);
      try {
        const body = await this.#whole(response);
        const { status, headers } = response;
        // A body that was unpacked is no longer of the length that the headers tell.
        return new Response(body.length > 0 ? body : null, { status, headers: withoutLength(headers) });
      } catch (error) {
        this.signal?.throwIfAborted();
        if (error instanceof MeanfieldError) throw error;
        if (trial === TRIES || (init?.method ?? 'GET') !== 'GET') throw this.#unreachable(url, causeOf(error), error);
        await this.pause(PAUSE * 2 ** (trial - 1));
      }
    }
  };

  /**
   * An answer whose body is still to be read, with the token where the hub itself is asked.
   *
   * @param allowed statuses of refusals that the caller sees for itself
   * @throws MeanfieldError when the hub refuses, or does not answer
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async request(url: string, init: RequestInit = {}, allowed: readonly number[] = []): Promise<Response> {
    for (let trial = 1; ; trial++) {
      this.signal?.throwIfAborted();
      let fault: string;
      let after: number | undefined;
      try {
        const response = await this.#ask(url, init);
        if (response.ok || allowed.includes(response.status)) return response;
        if (trial === TRIES || !isBusy(response.status, init.method)) throw await this.#refusal(response);
        fault = `status ${response.status}`;
        after = retryAfter(response);
        await response.body?.cancel();
      } catch (error) {
        this.signal?.throwIfAborted();
        if (error instanceof MeanfieldError) throw error;
        fault = causeOf(error);
        const tries = /redirect/.test(fault) ? 1 : NOBODY.test(fault) ? 2 : TRIES;
        if (trial >= tries) throw this.#unreachable(url, fault, error);
      }
      await this.pause(after ?? PAUSE * 2 ** (trial - 1));
    }
  }

  async #ask(url: string, init: RequestInit): Promise<Response> {
    const { endpoint, token } = this.settings;
    const headers = new Headers(init.headers);
    // Whoever else is asked, such as a store of large files, has an address of its own that admits.
    headers.delete('authorization');
    if (token !== undefined && new URL(url).origin === new URL(endpoint).origin)
      headers.set('authorization', `Bearer ${token}`);
    headers.set('user-agent', `meanfield/${packageFile.version}`);
    const late = new AbortController();
    // What is sent may be large.
    const short = init.body === undefined || init.body === null || typeof init.body === 'string';
    const timer = short ? setTimeout(() => late.abort(new Error('no answer')), PATIENCE_MS) : undefined;
    const signals = [late.signal, this.signal, init.signal].filter((each) => each instanceof AbortSignal);
    try {
      return await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
    } finally {
      clearTimeout(timer);
    }
  }

  async #whole(response: Response): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of bodyOf(response)) {
      parts.push(part);
      bytes += part.length;
      if (bytes > LONGEST_ANSWER)
        throw new MeanfieldError(
          `${this.settings.endpoint} answers with more than ${LONGEST_ANSWER} bytes, which is no list.`,
        );
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  #unreachable(url: string, fault: string, cause: unknown): MeanfieldError {
    const host = new URL(url).host;
    return new MeanfieldError(
      `Cannot fetch ${this.name} of the hub: ${host} cannot be used (${shown(fault)}). Try again later; what has come is kept.`,
      { cause },
    );
  }

  async #refusal(response: Response): Promise<MeanfieldError> {
    const { endpoint, token } = this.settings;
    const { status, headers } = response;
    const said = shown(headers.get('x-error-message') ?? (await saidIn(response)));
    const code = headers.get('x-error-code') ?? '';
    const page = `${endpoint}/${this.name}`;
    const account =
      token === undefined
        ? `a token of that account in HF_TOKEN (${endpoint}/settings/tokens)`
        : 'its token in HF_TOKEN';
    const advice = (() => {
      if (code === 'GatedRepo' || /restricted|gated/i.test(said))
        return `It is gated: accept its terms on ${page}, and set ${account}.`;
      if (code === 'RevisionNotFound' || /invalid rev/i.test(said))
        return 'It has no such revision: look at its branches and tags.';
      if (status === 401 && token === undefined)
        return `There is no such model, or it is private: then set ${account}.`;
      if (status === 401)
        return `There is no such model, or the token is not valid any more: see ${endpoint}/settings/tokens.`;
      if (status === 403)
        return `The account may not do that: look at the rights of the token, ${endpoint}/settings/tokens.`;
      if (status === 404) return 'There is no such model or file. Check its name.';
      if (isBusy(status, 'GET')) return 'Try again later; what has come is kept.';
      return 'Look at its page.';
    })();
    return new MeanfieldError(
      `The hub refuses ${this.name} with status ${status}${said === '' ? '' : ` (${said})`}. ${advice}`,
    );
  }
}

/** The pieces of a body. @throws Error when it stops to come */
export async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('it stopped to come')), PATIENCE_MS);
      });
      const { done, value } = await Promise.race([reader.read(), late]).finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Why a request failed, as the system says it. */
export function causeOf(error: unknown): string {
  const { cause } = (error ?? {}) as { readonly cause?: unknown };
  return cause === undefined ? messageOf(error) : messageOf(cause) || messageOf(error);
}

/** Whether it may go well another time; what was sent may have been done before a server failed. */
function isBusy(status: number, method = 'GET'): boolean {
  return status === 429 || status === 503 || (method === 'GET' && (status === 408 || status >= 500));
}

/** Seconds; its other form, a date, is not followed. */
function retryAfter({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return seconds >= 0 ? Math.min(seconds, LONGEST_PAUSE) : undefined;
}

async function saidIn(response: Response): Promise<string> {
  let text = '';
  try {
    for await (const part of bodyOf(response)) {
      text += Buffer.from(part).toString('utf8');
      if (text.length > 10 * LONGEST_REASON) break;
    }
    const { error, message } = JSON.parse(text) as { readonly error?: unknown; readonly message?: unknown };
    return String(error ?? message ?? '');
  } catch {
    return '';
  }
}

function withoutLength(headers: Headers): Headers {
  const copy = new Headers(headers);
  for (const name of ['content-length', 'content-encoding', 'transfer-encoding']) copy.delete(name);
  return copy;
}

function shown(text: string): string {
  return printableLine(text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text);
}
