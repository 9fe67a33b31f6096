import type { OptionTable } from '../base/option-table.js';
import { FIELD } from '../data/corpus/field-option.js';
import { DEVICE_CHOICES } from '../engine/node/device-names.js';
import { PRECISIONS } from './precision.js';

/** In what precision to compute with a model. */
export const PRECISION_OPTIONS = {
  /**
   * How the weights of products are kept: as they are (`fp32`), or in blocks of whole numbers of 8 or 4 bits, which take less
   * memory and time and cost some quality, as `eval` with the same precision tells. For models that write and, in
   * int8, those that turn texts into vectors, on the CPU.
   * Default `fp32`.
   */
  precision: { kind: 'choice', choices: PRECISIONS, default: 'fp32', help: 'bits of the weights' },
} as const satisfies OptionTable;

/** In how much memory to compute with a model. */
export const MEMORY_OPTIONS = {
  /**
   * Gigabytes that may be taken: where the whole model does not fit, its layers are read from its files one by one, for each
   * pass over it. For models that continue texts, in single precision, on the CPU. Default what is free.
   */
  memory: {
    kind: 'positive',
    value: 'GB',
    help: 'gigabytes that may be taken: a model that does not fit is read from its files layer by layer',
    otherwise: 'what is free',
  },
} as const satisfies OptionTable;

/** How to compute with a model. */
export const LOAD_OPTIONS = {
  /** Threads of the engine. Default: one a core. */
  threads: { kind: 'count', help: 'threads', otherwise: 'the cores' },
  /** Where to compute. Default `cpu`. */
  device: { kind: 'choice', choices: DEVICE_CHOICES, default: 'cpu', help: 'where to compute' },
  ...PRECISION_OPTIONS,
  ...MEMORY_OPTIONS,
} as const satisfies OptionTable;

/** What a command puts beside the model that it is given. */
export const ADAPTER_OPTIONS = {
  /** An adapter of PEFT's layout, or a run that trained one, for this model. Default none. */
  adapter: {
    kind: 'text',
    value: 'folder|run',
    help: "an adapter to put beside the model: a folder of PEFT's layout, or a run that trained one",
    otherwise: 'none',
  },
} as const satisfies OptionTable;

/** How to sample, as code and the command line say it. */
export const SAMPLING_OPTIONS = {
  /** The text to continue. Default empty: the model starts a text of its own. */
  prompt: {
    kind: 'text',
    empty: true,
    value: 'text',
    default: '',
    help: 'text to continue, or source to read',
    otherwise: 'none',
  },
  /** Tokens to write at most. Default 256. */
  maxTokens: { kind: 'whole', default: 256, help: 'tokens to write at most' },
  /**
   * Divides the scores before sampling: below 1 plays safe, above 1 dares more; 0 takes the likeliest token always.
   * Default 0.8.
   */
  temperature: { kind: 'notNegative', default: 0.8, help: '0 takes the most likely token, more is more varied' },
  /** Sample among this many likeliest tokens only; 0 for all. Default 200. */
  topK: { kind: 'whole', default: 200, help: 'choose among the n most likely tokens, 0 for all' },
  /**
   * Sample among the likeliest tokens that together have this probability (nucleus sampling, arXiv 1904.09751).
   * Default 1.
   */
  topP: { kind: 'share', default: 1, help: 'choose among the most likely tokens that together have probability x' },
  /** Texts that end the generation, and are not part of it; the first that is written counts. Default none. */
  stop: { kind: 'texts', value: 'text', help: 'end before this text when it comes; may be given several times' },
  /** The same seed gives the same text. Default 1337. */
  seed: { kind: 'whole', default: 1337, help: 'the same seed writes the same text' },
} as const satisfies OptionTable;

/** What code may say of a text to be written, but for a signal. */
export const GENERATE_OPTIONS = {
  ...SAMPLING_OPTIONS,
  /** Stop at the token that ends a text, where the model has one. Default true. */
  stopAtEnd: { kind: 'flag', default: true, help: 'go on after the token that ends a text' },
} as const satisfies OptionTable;

/** How texts to be measured are read. */
export const EVALUATE_OPTIONS = {
  /** The key of JSONL rows, or the column of Parquet files, that holds the text. Default `text`. */
  field: FIELD,
  /**
   * Tokens from one window of a text to the next, at most the context. The fewer, the more each token has before it to be
   * told from, at least context − stride, and the longer it takes: context / stride times. Of models that tell the next
   * token. Default: the context, so that no token is read twice.
   */
  stride: {
    kind: 'count',
    help: 'tokens from one window to the next; fewer give each token more before it, and take longer',
    otherwise: 'the context',
  },
} as const satisfies OptionTable;
