import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../base/errors.js';
import type {
  CompletionEvent,
  CompletionRequest,
  ScoredToken,
  ServedModel,
} from '../inference/completions/completion.js';
import { StopStrings } from '../inference/stop-strings.js';
import type { ShelfEntry } from './models/shelf.js';
import type { ServerParts } from './parts.js';
import { type ApiServer, startServer } from './server.js';

/** How a {@link LetterModel} behaves. */
export interface LetterOptions {
  readonly name?: string;
  readonly context?: number;
  readonly tasks?: readonly ('complete' | 'embed' | 'classify' | 'rerank')[];
  /** What is written after a prompt. By default what it says last, turned round. */
  readonly write?: (prompt: string) => string;
  /** Milliseconds a letter takes. */
  readonly delay?: number;
  /** Requests that may run or wait. */
  readonly places?: number;
  /** Fails after so many letters. */
  readonly failAfter?: number;
  readonly labels?: readonly string[];
  /** What tools become in a prompt, where the template has any. */
  readonly tools?: (tools: readonly object[]) => string;
}

const END = 256;
const bytesOf = (text: string) => [...Buffer.from(text)];

/** A model whose tokens are bytes, and which writes by rule: what it answers can be told beforehand. */
export class LetterModel implements ServedModel {
  readonly name: string;
  readonly context: number;
  readonly vocabulary = 257;
  readonly tasks;
  readonly requests: CompletionRequest[] = [];
  /** Requests that were given up. */
  aborted = 0;
  running = 0;
  cacheBytes = 0;
  closed = false;

  constructor(private readonly options: LetterOptions = {}) {
    this.name = options.name ?? 'letters';
    this.context = options.context ?? 2048;
    this.tasks = new Set(options.tasks ?? (['complete'] as const));
  }

  async encode(text: string): Promise<number[]> {
    return bytesOf(text);
  }

  async decode(ids: readonly number[]): Promise<string> {
    return Buffer.from(ids.filter((id) => id !== END)).toString('utf8');
  }

  async tokenBytes(ids: readonly number[]): Promise<Uint8Array[]> {
    return ids.map((id) => (id === END ? new Uint8Array() : Uint8Array.of(id)));
  }

  async chatPrompt(
    messages: readonly object[],
    { tools }: { readonly tools?: readonly object[] | undefined } = {},
  ): Promise<{ readonly prompt: number[]; readonly stop: readonly string[] }> {
    const before = tools !== undefined && this.options.tools ? this.options.tools(tools) : '';
    const turns = (messages as { role: string; content?: string; tool_calls?: unknown }[]).map(
      ({ role, content, tool_calls: calls }) =>
        `<${role}>${content ?? ''}${calls === undefined ? '' : JSON.stringify(calls)}\n`,
    );
    return { prompt: bytesOf(`${before}${turns.join('')}<assistant>`), stop: ['<end>'] };
  }

  async *complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<CompletionEvent> {
    if (this.running >= (this.options.places ?? Number.POSITIVE_INFINITY))
      throw Object.assign(new Error('full'), { name: 'BusyError' });
    this.requests.push(request);
    if (request.constraint?.kind === 'regex' && request.constraint.regex === '(')
      throw new UsageError('this is no regular expression.');
    this.running++;
    try {
      yield* this.#write(request, signal);
    } catch (error) {
      if (signal.aborted) this.aborted++;
      throw error;
    } finally {
      this.running--;
    }
  }

  async *#write(request: CompletionRequest, signal: AbortSignal): AsyncIterable<CompletionEvent> {
    const { delay, failAfter, write = turned } = this.options;
    const prompt = await this.decode(request.prompt);
    const scored = request.promptLogprobs
      ? request.prompt.map((id, i) => score(id, i > 0, request.topLogprobs ?? 0))
      : undefined;
    yield { type: 'prompt', tokens: request.prompt.length, cached: 3, ...(scored && { scored }) };
    const stops = new StopStrings(request.stop);
    const ids = [...bytesOf(write(prompt)), END];
    const decoder = new TextDecoder();
    let held: ScoredToken[] = [];
    let written = 0;
    for (const id of ids) {
      // As an engine in another thread, which is told to stop.
      if (delay === undefined) await new Promise(setImmediate);
      else await sleep(delay, undefined, { signal });
      signal.throwIfAborted();
      if (written >= request.maxTokens) break;
      written++;
      if (written > (failAfter ?? Number.POSITIVE_INFINITY)) throw new Error('a session of /models/secret has failed');
      if (id === END) return yield { type: 'end', reason: 'end', tokens: written };
      if (request.topLogprobs !== undefined) held.push(score(id, true, request.topLogprobs));
      const { text, stopped } = stops.push(decoder.decode(Uint8Array.of(id), { stream: true }));
      if (text !== '' || stopped) {
        yield { type: 'text', text, tokens: held };
        held = [];
      }
      if (stopped) return yield { type: 'end', reason: 'stop', tokens: written };
    }
    const rest = stops.end();
    if (rest !== '' || held.length > 0) yield { type: 'text', text: rest, tokens: held };
    yield { type: 'end', reason: 'length', tokens: written };
  }

  /** A vector of what letters a text has. */
  async embed(texts: readonly string[]) {
    const vectors = texts.map((text) => {
      const vector = new Float32Array(8);
      for (const byte of bytesOf(text)) vector[byte % 8]! += 1;
      const length = Math.hypot(...vector) || 1;
      return vector.map((value) => value / length);
    });
    return { vectors, tokens: await this.#tokensOf(texts) };
  }

  async #tokensOf(texts: readonly string[]): Promise<number> {
    const all = await Promise.all(texts.map((text) => this.encode(text)));
    return all.reduce((sum, { length }) => sum + length, 0);
  }

  /** Scores by a text's length: the longer, the more of the last label. */
  async classify(texts: readonly (string | readonly [string, string])[]) {
    const labels = this.options.labels ?? ['ok', 'long'];
    const scores = texts.map((text) => {
      const share = Math.min(1, (typeof text === 'string' ? text : text[1]).length / 20);
      return Float32Array.from(labels, (_, i) => (i === labels.length - 1 ? share : (1 - share) / (labels.length - 1)));
    });
    return { labels, scores, tokens: await this.#tokensOf(texts.flat()) };
  }

  load() {
    return { running: this.running, waiting: 0, cachedTokens: 12, cacheBytes: this.cacheBytes };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** What a prompt says last, turned round. */
function turned(prompt: string): string {
  const said = prompt.split('\n').findLast((line) => line !== '' && line !== '<assistant>') ?? '';
  return [...said.replace(/^<\w+>/, '')].reverse().join('');
}

/** A token is the likelier the larger its number; the likeliest is one more than it. */
function score(id: number, known: boolean, top: number): ScoredToken {
  if (!known) return { id, logprob: null, top: [] };
  const others = Array.from({ length: top }, (_, i) => ({ id: (id + 1 + i) % 256, logprob: -0.25 * (i + 1) }));
  return { id, logprob: -1 - id / 1000, top: others };
}

/** An entry of a shelf that opens a model. */
export function entryOf(model: LetterModel, more: Partial<ShelfEntry> = {}): ShelfEntry {
  return { name: model.name, open: async () => model, memory: async () => 100, ...more };
}

/** A server of models, on a port of its own. */
export function serveModels(
  models: readonly (LetterModel | ShelfEntry)[],
  parts: Partial<ServerParts> = {},
): Promise<ApiServer> {
  return startServer({
    models: models.map((model) => (model instanceof LetterModel ? entryOf(model) : model)),
    host: '127.0.0.1',
    port: 0,
    memoryBytes: 1000,
    apiKeys: [],
    origins: [],
    maxTokens: Number.POSITIVE_INFINITY,
    clientRequests: 1000,
    maxBody: 2_000_000,
    timeLimitMs: 60_000,
    drainMs: 1000,
    ...parts,
  });
}

/** Asks a server as JSON. */
export async function ask(server: ApiServer, path: string, body?: unknown, init: RequestInit = {}) {
  const response = await fetch(server.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...init,
    headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parsed(text) };
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any form.
function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The events of a stream, which has to be framed to the byte: `data: JSON`, an empty line, and `[DONE]` at its end. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into events of any form.
export function eventsOf(text: string): any[] {
  const parts = text.split('\n\n');
  if (parts.pop() !== '' || parts.pop() !== 'data: [DONE]') throw new Error(`no end: ${text.slice(-200)}`);
  return parts
    .filter((part) => part !== ': ping')
    .map((part) => {
      if (!part.startsWith('data: {')) throw new Error(`no event: ${part}`);
      return JSON.parse(part.slice(6));
    });
}
