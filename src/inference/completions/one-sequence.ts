import type { NextToken, SequenceDecoder, Sequences } from '../sequences.js';

/** The one sequence of a {@link SequenceDecoder} as one of many: for models and devices that have no others. */
export class OneSequence implements Sequences {
  readonly context: number;
  readonly turn: number;
  readonly mostTokens = 128;
  #open = false;

  constructor(private readonly decoder: SequenceDecoder) {
    this.context = decoder.context;
    this.turn = decoder.turn;
  }

  open(): number {
    if (this.#open) throw new Error('there is one sequence at a time here');
    this.#open = true;
    this.decoder.clear();
    return 0;
  }

  fork(): number {
    throw new Error('there is one sequence at a time here');
  }

  cut(_sequence: number, length: number): void {
    if (length === this.decoder.length) return;
    if (length !== 0) throw new Error('a decoder of one sequence forgets all of it, or nothing');
    this.decoder.clear();
  }

  close(): void {
    this.#open = false;
  }

  lengthOf(): number {
    return this.decoder.length;
  }

  read(_sequence: number, ids: ArrayLike<number>, most?: number) {
    return this.decoder.step(ids, most);
  }

  /** A token a step: it tells what follows the last of them alone. */
  readScored(_sequence: number, ids: ArrayLike<number>) {
    return this.decoder.step(ids, 1);
  }

  kept(): undefined {
    return undefined;
  }

  restore(): void {
    throw new Error('a decoder of one sequence keeps nothing');
  }

  async write([next]: readonly NextToken[]): Promise<readonly Float32Array[]> {
    return [(await this.decoder.step([next!.id])).logits];
  }

  dispose(): Promise<void> {
    return this.decoder.dispose();
  }
}
