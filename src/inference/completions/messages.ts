import type { WeightPrecision } from '../precision.js';
import type { CompletionEvent, CompletionRequest, ServedModel } from './completion.js';

/** What a thread opens. */
export interface OpenRequest {
  readonly place: string;
  readonly adapter?: string | undefined;
  readonly precision: WeightPrecision;
  /** Threads of a run. */
  readonly threads: number;
  /** Requests that run at once, and that may wait. */
  readonly running: number;
  readonly waiting: number;
  /** Tokens of all that runs, and of prompts that are kept beside it; as many as fit into a sensible memory where left out. */
  readonly cacheTokens?: number | undefined;
  readonly keptTokens?: number | undefined;
  /** Milliseconds that a request may take. */
  readonly timeLimit: number;
  /** Where the thread tells its {@link LOAD}. */
  readonly load: SharedArrayBuffer;
}

/** What a thread has opened. */
export interface OpenAnswer {
  readonly context: number;
  readonly vocabulary: number;
  readonly tasks: readonly (ServedModel['tasks'] extends ReadonlySet<infer T> ? T : never)[];
  readonly notices: readonly string[];
}

/** Where in the memory that a thread and its owner share the parts of its load are: int32 each. */
export const LOAD = { running: 0, waiting: 1, cachedTokens: 2, cacheMiB: 3 } as const;

/** Commands of the thread of a model that is served: argument and answer. */
export interface CompletionCommands {
  readonly open: readonly [OpenRequest, OpenAnswer];
  readonly encode: readonly [
    { readonly text: string; readonly special: boolean; readonly most?: number | undefined },
    number[],
  ];
  readonly decode: readonly [readonly number[], string];
  readonly tokenBytes: readonly [readonly number[], Uint8Array[]];
  readonly chatPrompt: readonly [
    {
      readonly messages: readonly object[];
      readonly tools?: readonly object[] | undefined;
      readonly most?: number | undefined;
    },
    { readonly prompt: number[]; readonly stop: readonly string[] },
  ];
  /** Its events come as steps. The answer: in how many milliseconds one may ask again, where the queue is full. */
  readonly complete: readonly [
    { readonly key: number; readonly request: CompletionRequest },
    { readonly retryMs?: number | undefined },
  ];
  readonly embed: readonly [
    { readonly key: number; readonly texts: readonly string[] },
    { readonly vectors: Float32Array[]; readonly tokens: number },
  ];
  readonly classify: readonly [
    { readonly key: number; readonly texts: readonly (string | readonly [string, string])[] },
    { readonly labels: readonly string[]; readonly scores: readonly Float32Array[]; readonly tokens: number },
  ];
  /** Gives up what was asked for with a key. */
  readonly cancel: readonly [number, null];
  readonly close: readonly [null, null];
}

/** What a thread tells before it answers. */
export type CompletionStep = CompletionEvent;
