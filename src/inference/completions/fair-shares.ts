/**
 * What clients were given, so that the one with the least is next. A client that comes anew begins where the least-served of
 * those present stands: absence earns nothing, and one that leaves and comes back is not ahead of those that stayed
 * (start-time fair queueing; Goyal, Vin and Cheng 1996).
 */
export class FairShares {
  readonly #clients = new Map<string, { given: number; requests: number }>();
  /** Below this no client begins. */
  #level = 0;

  /** A request of a client has come. */
  enter(client: string): void {
    this.#raise();
    const found = this.#clients.get(client) ?? { given: 0, requests: 0 };
    if (found.requests === 0) found.given = Math.max(found.given, this.#level);
    found.requests++;
    this.#clients.set(client, found);
  }

  /** A request of a client is gone. */
  leave(client: string): void {
    const found = this.#clients.get(client);
    if (found === undefined) return;
    found.requests--;
    this.#raise();
    // One that is not ahead would begin at the level anyway.
    for (const [name, { given, requests }] of this.#clients)
      if (requests === 0 && given <= this.#level) this.#clients.delete(name);
  }

  give(client: string, tokens: number): void {
    const found = this.#clients.get(client);
    if (found !== undefined) found.given += tokens;
  }

  given(client: string): number {
    return this.#clients.get(client)?.given ?? this.#level;
  }

  /** Brings the level to the least of those present; where there is none it is that of the furthest. */
  #raise(): void {
    let least = Number.POSITIVE_INFINITY;
    let most = this.#level;
    for (const { given, requests } of this.#clients.values()) {
      most = Math.max(most, given);
      if (requests > 0) least = Math.min(least, given);
    }
    this.#level = Math.max(this.#level, least === Number.POSITIVE_INFINITY ? most : least);
  }
}
