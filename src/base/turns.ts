/** Lets one at a time through, in the order in which they came. */
export class Turns {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * Waits for a turn.
   *
   * @param signal gives the place up
   * @returns what ends the turn
   * @throws the signal's reason when it was given up
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#taken) await this.#wait(signal);
    this.#taken = true;
    return () => this.#passOn();
  }

  #passOn(): void {
    const next = this.#waiting.shift();
    // The turn goes from hand to hand, so that no one who comes now is before those who wait.
    if (next) next();
    else this.#taken = false;
  }

  #wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(signal?.reason);
      };
      this.#waiting.push(go);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
