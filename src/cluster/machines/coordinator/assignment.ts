/** Who reduces which shard of a merge; null: the coordinator itself, when nobody else is left. */
export type ReducerName = string | null;

interface Entry<R> {
  reducer: ReducerName;
  /** Milliseconds, by the caller's clock. */
  since: number;
  result: R | undefined;
  /** Who has had it and did not deliver. */
  readonly failed: Set<string>;
}

/** Gives out the shards of a merge to reducers, and again what a dead or a late one owes. */
export class Assignment<R> {
  readonly #entries: Entry<R>[];
  readonly #reducers: Set<string>;

  /** @param reducers in order; each gets about as many */
  constructor(shards: number, reducers: readonly string[], now: number) {
    this.#reducers = new Set(reducers);
    this.#entries = Array.from({ length: shards }, (_, i) => ({
      reducer: reducers[i % reducers.length] ?? null,
      since: now,
      result: undefined,
      failed: new Set<string>(),
    }));
  }

  get complete(): boolean {
    return this.#entries.every(({ result }) => result !== undefined);
  }

  /** By shard. @throws Error before all are there */
  get results(): R[] {
    return this.#entries.map(({ result }, i) => {
      if (result === undefined) throw new Error(`shard ${i} is not reduced yet`);
      return result;
    });
  }

  /** Who has a shard, and what it delivered. */
  at(shard: number): { readonly reducer: ReducerName; readonly result: R | undefined } {
    return this.#entries[shard]!;
  }

  /** Who owes what, the coordinator as null. */
  owed(): Map<ReducerName, number[]> {
    const owed = new Map<ReducerName, number[]>();
    for (const [i, { reducer, result }] of this.#entries.entries())
      if (result === undefined) owed.set(reducer, [...(owed.get(reducer) ?? []), i]);
    return owed;
  }

  /** The first result of a shard counts: a later copy has the same bits. @returns whether this one does */
  deliver(shard: number, reducer: ReducerName, result: R, now: number): boolean {
    const entry = this.#entries[shard];
    if (!entry || entry.result !== undefined) return false;
    entry.result = result;
    entry.reducer = reducer;
    // A sign that it works: what it owes beside this is not late yet.
    for (const other of this.#entries) if (other.reducer === reducer) other.since = now;
    return true;
  }

  /** A reducer could not do a shard, or its result cannot be read: another does it. */
  fail(shard: number, now: number): void {
    const entry = this.#entries[shard];
    if (!entry) return;
    entry.result = undefined;
    if (entry.reducer !== null) entry.failed.add(entry.reducer);
    this.#giveOn(entry, now);
  }

  /** A reducer is gone: others do what it owes. */
  lose(reducer: string, now: number): void {
    if (!this.#reducers.delete(reducer)) return;
    for (const entry of this.#entries)
      if (entry.reducer === reducer && entry.result === undefined) this.#giveOn(entry, now);
  }

  /** A reducer cannot be relied on: others do again what it has done, and what it owes. */
  takeFrom(reducer: string, now: number): void {
    this.#reducers.delete(reducer);
    for (const entry of this.#entries) {
      if (entry.reducer !== reducer) continue;
      entry.result = undefined;
      this.#giveOn(entry, now);
    }
  }

  /** Takes shards from those that have delivered nothing for so long. */
  takeFromLate(now: number, patience: number): void {
    for (const entry of this.#entries) {
      if (entry.result !== undefined || entry.reducer === null || now - entry.since < patience) continue;
      entry.failed.add(entry.reducer);
      this.#giveOn(entry, now);
    }
  }

  #giveOn(entry: Entry<R>, now: number): void {
    const owed = this.owed();
    let best: ReducerName = null;
    for (const reducer of this.#reducers) {
      if (entry.failed.has(reducer)) continue;
      const load = owed.get(reducer)?.length ?? 0;
      if (best === null || load < (owed.get(best)?.length ?? 0)) best = reducer;
    }
    entry.reducer = best;
    entry.since = now;
  }
}
