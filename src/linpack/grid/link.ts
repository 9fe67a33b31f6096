import { MeanfieldError } from '../../base/errors.js';
import { type Inbox, type Kind, keyOf, type Letter, post } from './inbox.js';
import type { Layout } from './layout.js';

/** How one machine of a grid reaches the others. */
export interface Carrier {
  /** Sends one letter to some; resolves when it is on its way. */
  send(to: readonly number[], letter: Letter, values: Float64Array): Promise<void>;
}

/** What one machine of a grid sends and waits for. */
export class Link {
  #inbox: Inbox;
  #failure: MeanfieldError | undefined;
  readonly #kept = new Map<string, Float64Array>();
  readonly #waiting = new Map<string, { resolve: (values: Float64Array) => void; reject: (error: Error) => void }>();

  constructor(
    layout: Layout,
    readonly rank: number,
    private readonly carrier: Carrier,
  ) {
    this.#inbox = { layout, rank, seen: new Set() };
  }

  async send(to: readonly number[], kind: Kind, step: number, values: Float64Array): Promise<void> {
    const others = to.filter((rank) => rank !== this.rank);
    if (others.length > 0) await this.carrier.send(others, { kind, step, from: this.rank }, values);
  }

  /**
   * Waits for a letter.
   *
   * @param length values that it must hold; undefined where its size was checked when it came
   * @throws MeanfieldError when the run has failed, or the letter is of another size
   */
  async receive(kind: Kind, step: number, from: number, length?: number): Promise<Float64Array> {
    const key = keyOf({ kind, step, from });
    let values = this.#kept.get(key);
    if (values === undefined) {
      if (this.#failure) throw this.#failure;
      values = await new Promise<Float64Array>((resolve, reject) => this.#waiting.set(key, { resolve, reject }));
    }
    this.#kept.delete(key);
    if (length !== undefined && values.length !== length) {
      throw new MeanfieldError(
        `Machine ${from} sent ${values.length} values as ${kind} of step ${step}; expected ${length}.`,
      );
    }
    return values;
  }

  /** Why a letter of so many values would be refused, before they are fetched; undefined where it would not. */
  objection(letter: Letter, values: number): string | undefined {
    const posted = post(this.#inbox, letter, values);
    return posted.taken === 'refused' ? posted.reason : undefined;
  }

  /**
   * Gives a letter that has come.
   *
   * @returns why it is refused, if it is
   */
  deliver(letter: Letter, values: Float64Array): string | undefined {
    const posted = post(this.#inbox, letter, values.length);
    if (posted.taken === 'refused') return posted.reason;
    if (posted.taken === 'again') return undefined;
    this.#inbox = posted.inbox;
    const key = keyOf(letter);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (waiting) waiting.resolve(values);
    else this.#kept.set(key, values);
    return undefined;
  }

  /** Ends all waiting: the run cannot go on. */
  fail(error: MeanfieldError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
