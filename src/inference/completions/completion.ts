import { MeanfieldError } from '../../base/errors.js';

/** How a completion is sampled; {@link Sampler} says in which order the parts apply. */
export interface SamplingRequest {
  readonly maxTokens: number;
  /** 0 takes the likeliest token always. */
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  /** Added to the scores of these tokens, in nats. */
  readonly logitBias?: ReadonlyMap<number, number> | undefined;
  /** Taken from a token's score for each time that it was written, in nats. */
  readonly frequencyPenalty?: number | undefined;
  /** Taken from the score of every token that was written, in nats. */
  readonly presencePenalty?: number | undefined;
}

/** What the text must be, for a grammar engine. */
export type Constraint =
  | { readonly kind: 'json' }
  | { readonly kind: 'schema'; readonly schema: string }
  | { readonly kind: 'regex'; readonly regex: string };

/** A completion that is asked for: what is read, and how it goes on. */
export interface CompletionRequest extends SamplingRequest {
  /** Ids, at least one; with {@link maxTokens} at most the context. */
  readonly prompt: readonly number[];
  /** Texts that end the completion and are not part of it; the first that is complete counts. */
  readonly stop: readonly string[];
  /** Whether the token that ends a text is not to end it. */
  readonly ignoreEnd?: boolean | undefined;
  /** How many of the likeliest tokens are told with each that is written, 0 for that one alone. Left out: no scores. */
  readonly topLogprobs?: number | undefined;
  /** Whether the scores of the prompt's own tokens are told too. */
  readonly promptLogprobs?: boolean | undefined;
  readonly constraint?: Constraint | undefined;
  /** Who asks: turns are fair between clients. */
  readonly client: string;
}

/** A token as it was scored: logarithms are natural, of probabilities before temperature and what cuts choices. */
export interface ScoredToken {
  readonly id: number;
  /** null for the first of a prompt, which nothing scores. */
  readonly logprob: number | null;
  /** The likeliest in its place, the likeliest first. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
}

/** No place is left in the queue of a model. */
export class BusyError extends MeanfieldError {
  override name = 'BusyError';

  /** @param retrySeconds after how many seconds there may be one */
  constructor(readonly retrySeconds: number) {
    super(`As many requests wait for the model as may. Ask again in ${retrySeconds} s.`);
  }
}

/** What comes of a completion, in this order: one `prompt`, any number of `text`, one `end`. */
export type CompletionEvent =
  | {
      readonly type: 'prompt';
      readonly tokens: number;
      /** How many of them were in the cache. */
      readonly cached: number;
      /** Of {@link CompletionRequest.promptLogprobs}: the prompt's tokens. */
      readonly scored?: readonly ScoredToken[];
    }
  /** Whole characters, and the tokens that came since the last such event; what may begin a stop is held back. */
  | { readonly type: 'text'; readonly text: string; readonly tokens: readonly ScoredToken[] }
  | { readonly type: 'end'; readonly reason: 'end' | 'stop' | 'length'; readonly tokens: number };

/** What a model that is served can be asked, from any thread; its work is done in another. */
export interface ServedModel {
  readonly name: string;
  readonly context: number;
  readonly vocabulary: number;
  /** What whoever opens it should be told. */
  readonly notices?: readonly string[];
  /** Those that write have `complete`; those that read all of a text at once have `embed`. */
  readonly tasks: ReadonlySet<'complete' | 'embed' | 'classify' | 'rerank'>;
  /**
   * @param special whether the texts of special tokens become those tokens, and what begins a text is set before it
   * @param most what the caller has room for: of a text with more tokens a beginning of more than these is given
   */
  encode(text: string, special: boolean, most?: number): Promise<number[]>;
  decode(ids: readonly number[]): Promise<string>;
  /** The bytes of each token as text, or of those that are no text of their own. */
  tokenBytes(ids: readonly number[]): Promise<Uint8Array[]>;
  /**
   * Ids of a conversation by the model's template, up to where the answer begins, and the texts that end it; of one
   * with more tokens than `most` a beginning of more than these.
   */
  chatPrompt(
    messages: readonly object[],
    options?: { readonly tools?: readonly object[] | undefined; readonly most?: number },
  ): Promise<{ readonly prompt: number[]; readonly stop: readonly string[] }>;
  /**
   * @throws BusyError at its first event, when no place is left in the queue
   * @throws AbortError once the signal is given; the work stops within one token, queued or running
   */
  complete(request: CompletionRequest, signal: AbortSignal): AsyncIterable<CompletionEvent>;
  /** @returns a vector for each text, and the tokens of all */
  embed(
    texts: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly tokens: number }>;
  /** @returns for each text (or pair of texts) a score for each label, those of a softmax or of sigmoids; the tokens of all */
  classify(
    texts: readonly (string | readonly [string, string])[],
    signal: AbortSignal,
  ): Promise<{
    readonly labels: readonly string[];
    readonly scores: readonly Float32Array[];
    readonly tokens: number;
  }>;
  /** What the queue and the batch hold now, for metrics, and what keys and values take in memory. */
  load(): {
    readonly running: number;
    readonly waiting: number;
    readonly cachedTokens: number;
    readonly cacheBytes?: number;
  };
  close(): Promise<void>;
}
