import { HttpError } from './http-error.js';

/** How many requests each client has running, and no more than are allowed. */
export class Clients {
  readonly #running = new Map<string, number>();

  constructor(private readonly most: number) {}

  /**
   * @returns what to call, once, when the request is over
   * @throws HttpError 429 when the client has as many as it may
   */
  enter(client: string): () => void {
    const running = this.#running.get(client) ?? 0;
    if (running >= this.most)
      throw new HttpError(
        429,
        `This client has ${running} requests running, and may have ${this.most}. Ask again later.`,
        {
          code: 'rate_limit_exceeded',
          headers: { 'retry-after': '1' },
        },
      );
    this.#running.set(client, running + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = this.#running.get(client)! - 1;
      if (now > 0) this.#running.set(client, now);
      else this.#running.delete(client);
    };
  }

  get running(): number {
    return [...this.#running.values()].reduce((sum, one) => sum + one, 0);
  }
}
