/** A model that the server has. */
export interface Model {
  readonly id: string;
  /** What it can be asked; null before it was asked for the first time. */
  readonly tasks: readonly string[] | null;
}

/** How a text is to go on. */
export interface Settings {
  readonly temperature: number;
  readonly topP: number;
  readonly maxTokens: number;
  readonly seed: number | undefined;
  readonly system: string;
}

/** A token that was written, and the likeliest in its place. */
export interface Token {
  readonly text: string;
  /** UTF-8; a token may be a part of a character. */
  readonly bytes: readonly number[];
  readonly logprob: number;
  readonly top: readonly { readonly text: string; readonly logprob: number }[];
}

/** What came of a text so far. */
export interface Piece {
  readonly text: string;
  readonly tokens: readonly Token[];
}

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
  readonly tokens?: readonly Token[];
}

/** What the server says is wrong. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

const KEY = 'meanfield-api-key';

/** Kept until the tab is closed. */
export function keepKey(key: string): void {
  sessionStorage.setItem(KEY, key);
}

async function ask(path: string, body?: object, signal?: AbortSignal): Promise<Response> {
  const key = sessionStorage.getItem(KEY);
  const response = await fetch(path, {
    method: body ? 'POST' : 'GET',
    headers: { 'Content-Type': 'application/json', ...(key && { Authorization: `Bearer ${key}` }) },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  const said = (await response.json().catch(() => undefined)) as { error?: { message?: string } } | undefined;
  throw new ApiError(said?.error?.message ?? `The server answers with ${response.status}.`, response.status);
}

export async function listModels(): Promise<readonly Model[]> {
  const { data } = (await (await ask('v1/models')).json()) as { data: Model[] };
  return data;
}

interface ChatChunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly {
    readonly delta: { readonly content?: string };
    readonly logprobs?: {
      readonly content: readonly (Scored & { readonly top_logprobs: readonly Scored[] })[] | null;
    } | null;
  }[];
}

interface Scored {
  readonly token: string;
  readonly bytes: readonly number[] | null;
  readonly logprob: number;
}

const ALTERNATIVES = 5;
const encoder = new TextEncoder();

/** Answers in a conversation. */
export async function* chat(
  model: string,
  messages: readonly Message[],
  settings: Settings,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const { system } = settings;
  const body = {
    model,
    messages: [
      ...(system === '' ? [] : [{ role: 'system', content: system }]),
      ...messages.map(({ role, content }) => ({ role, content })),
    ],
    ...sampling(settings),
    logprobs: true,
    top_logprobs: ALTERNATIVES,
  };
  for await (const chunk of stream<ChatChunk>('v1/chat/completions', body, signal)) {
    const choice = chunk.choices?.[0];
    if (!choice) continue;
    const tokens = (choice.logprobs?.content ?? []).map(({ token, bytes, logprob, top_logprobs }) => ({
      text: token,
      bytes: bytes ?? [...encoder.encode(token)],
      logprob,
      top: top_logprobs.map((one) => ({ text: one.token, logprob: one.logprob })),
    }));
    yield { text: choice.delta.content ?? '', tokens };
  }
}

interface TextChunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly {
    readonly text: string;
    readonly logprobs?: {
      readonly tokens: readonly string[];
      readonly token_logprobs: readonly (number | null)[];
      readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[] | null;
    } | null;
  }[];
}

/** Continues a text. */
export async function* complete(
  model: string,
  prompt: string,
  settings: Settings,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  const body = { model, prompt, ...sampling(settings), logprobs: ALTERNATIVES };
  for await (const chunk of stream<TextChunk>('v1/completions', body, signal)) {
    const choice = chunk.choices?.[0];
    if (!choice) continue;
    const { tokens = [], token_logprobs = [], top_logprobs } = choice.logprobs ?? {};
    yield {
      text: choice.text,
      tokens: tokens.map((text, i) => ({
        text,
        bytes: [...encoder.encode(text)],
        logprob: token_logprobs[i] ?? 0,
        top: Object.entries(top_logprobs?.[i] ?? {})
          .map(([other, logprob]) => ({ text: other, logprob }))
          .sort((a, b) => b.logprob - a.logprob),
      })),
    };
  }
}

function sampling({ temperature, topP, maxTokens, seed }: Settings) {
  return { temperature, top_p: topP, max_tokens: maxTokens, ...(seed !== undefined && { seed }) };
}

/** The events of a stream (WHATWG's server-sent events), up to `[DONE]`. */
async function* stream<Chunk extends { readonly error?: { readonly message: string } }>(
  path: string,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  const response = await ask(path, { ...body, stream: true }, signal);
  let rest = '';
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith('data:')) continue;
      const data = line.slice(5).trim();
      if (data === '[DONE]') return;
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) throw new ApiError(chunk.error.message, 500);
      yield chunk;
    }
  }
  throw new ApiError('The connection ended before the answer did.', 0);
}

/** A vector for each text. */
export async function embed(model: string, input: readonly string[], signal: AbortSignal): Promise<number[][]> {
  const response = await ask('v1/embeddings', { model, input, encoding_format: 'float' }, signal);
  const { data } = (await response.json()) as { data: { index: number; embedding: number[] }[] };
  return data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
}

/** The score of each category, the highest first. */
export async function moderate(
  model: string,
  input: string,
  signal: AbortSignal,
): Promise<readonly { readonly category: string; readonly score: number; readonly flagged: boolean }[]> {
  const response = await ask('v1/moderations', { model, input }, signal);
  const { results } = (await response.json()) as {
    results: { categories: Record<string, boolean>; category_scores: Record<string, number> }[];
  };
  const { categories, category_scores } = results[0]!;
  return Object.entries(category_scores)
    .map(([category, score]) => ({ category, score, flagged: categories[category] === true }))
    .sort((a, b) => b.score - a.score);
}
