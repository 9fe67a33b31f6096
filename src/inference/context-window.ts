import { othersTurn } from '../base/others-turn.js';
import type { SequenceDecoder } from './sequences.js';

/** Lets a decoder follow a text of any length. */
export class ContextWindow {
  readonly #decoder: SequenceDecoder;
  /** How much of the text the decoder has seen. */
  #read = 0;

  /** @param decoder one with no sequence yet */
  constructor(decoder: SequenceDecoder) {
    this.#decoder = decoder;
  }

  /**
   * Reads what is new in a text. Positions beyond the context have no meaning to the model, so when the text passes it
   * the last half of the context is read anew, from position 0: half a context of tokens comes cheap between two such
   * moments, and the model never sees fewer than that half. Where positions change with the length, a text that grows past
   * that length is read anew from its start, once, as Python transformers does.
   *
   * @param ids the whole text, of which earlier calls saw the beginning
   * @returns scores of the token that follows, [V]; undefined when interrupted
   */
  async read(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array | undefined> {
    const decoder = this.#decoder;
    const begin = this.#read - decoder.length;
    const length = ids.length - begin;
    if (length > decoder.context) {
      decoder.clear();
      this.#read = Math.max(0, ids.length - Math.max(1, Math.floor(decoder.context / 2)));
    } else if (decoder.length > 0 && decoder.length <= decoder.turn && length > decoder.turn) {
      decoder.clear();
      this.#read = begin;
    }
    for (;;) {
      if (signal?.aborted) return undefined;
      const { taken, logits } = await decoder.step(ids.slice(this.#read));
      this.#read += taken;
      // A run blocks its thread, and awaiting one lets no timer or signal through.
      await othersTurn();
      if (this.#read === ids.length) return logits;
    }
  }
}
