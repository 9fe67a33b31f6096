import type { TokenSource } from '../shards/token-source.js';
import type { SampleSource } from './sample-source.js';
import { WindowOrder } from './window-order.js';

/** A window of a text. */
export interface TokenWindow {
  /** `context` + 1 token ids. */
  readonly ids: Int32Array;
  /** What tells it from every other window of a run, for chance that is its own: an epoch and a place in it. */
  readonly number: readonly [epoch: number | string, place: number];
  /** How many of its targets, at its beginning, are not scored: a window before it has told them. Default 0. */
  readonly known?: number;
}

/** What {@link TokenWindows} reads and how. */
export interface TokenWindowsOptions {
  readonly tokens: TokenSource;
  /** Tokens that the model sees; a window has one more, the last one's target. */
  readonly context: number;
  readonly seed: number;
}

/** The windows of a text, in the order of {@link WindowOrder}. */
export class TokenWindows implements SampleSource<TokenWindow> {
  readonly #options: TokenWindowsOptions;
  readonly #order: WindowOrder;

  /** @throws MeanfieldError when there is not one window of `context` + 1 tokens */
  constructor(options: TokenWindowsOptions) {
    const { tokens, context, seed } = options;
    this.#options = options;
    this.#order = new WindowOrder({ tokens: tokens.length, context, seed });
  }

  get samplesPerEpoch(): number {
    return this.#order.windowsPerEpoch;
  }

  get order(): { readonly seed: number; readonly context: number; readonly tokens: number } {
    const { seed, context, tokens } = this.#options;
    return { seed, context, tokens: tokens.length };
  }

  sample(epoch: number, place: number): TokenWindow {
    const { tokens, context } = this.#options;
    return { ids: tokens.read(this.#order.start(epoch, place), context + 1), number: [epoch, place] };
  }
}

/** The window that starts at a token, for an evaluation: it is the same in every run. */
export function windowAt(tokens: TokenSource, context: number, start: number): TokenWindow {
  return { ids: tokens.read(start, context + 1), number: ['validation', start] };
}
