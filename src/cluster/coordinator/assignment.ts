/** Who reduces which shard of a merge; null: the coordinator itself, when nobody else is left. */
export type ReducerName = string | null;

/** One of those who reduce a shard. */
interface Place<R> {
  reducer: ReducerName;
  /** Milliseconds, by the caller's clock. */
  since: number;
  result: R | undefined;
}

interface Entry<R> {
  places: Place<R>[];
  /** Who has had it and did not deliver. */
  readonly failed: Set<string>;
}

/** Once half is delivered, who owes the rest is late after so many times what the slowest of the others took. */
const SLOWER = 4;
/** But not before this share of the patience: what is quick differs by chance. */
const QUICK = 1 / 24;

/**
 * - `counts`: from one who was to reduce it
 * - `known`: it has delivered already, or was too late
 * - `foreign`: it was never asked
 */
export type Delivery = 'counts' | 'known' | 'foreign';

/** Gives out the shards of a merge to reducers, and again what a dead or a late one owes. */
export class Assignment<R> {
  readonly #entries: Entry<R>[];
  readonly #reducers: Set<string>;
  /** The longest that a delivery has taken. */
  #slowest = 0;

  /**
   * @param reducers in order; each gets about as many
   * @param copies how many reduce each shard; where there are fewer reducers, the coordinator is one of them
   */
  constructor(shards: number, reducers: readonly string[], now: number, copies = 1) {
    this.#reducers = new Set(reducers);
    const names = (shard: number): ReducerName[] =>
      reducers.length === 0
        ? [null]
        : Array.from({ length: copies }, (_, copy) =>
            copy < reducers.length ? reducers[(shard + copy) % reducers.length]! : null,
          );
    this.#entries = Array.from({ length: shards }, (_, shard) => ({
      places: names(shard).map((reducer) => ({ reducer, since: now, result: undefined })),
      failed: new Set<string>(),
    }));
  }

  get complete(): boolean {
    return this.#entries.every(({ places }) => places.every(({ result }) => result !== undefined));
  }

  /** By shard; the first of each where several were made. @throws Error before all are there */
  get results(): R[] {
    return this.#entries.map(({ places }, i) => {
      const { result } = places[0]!;
      if (result === undefined) throw new Error(`shard ${i} is not reduced yet`);
      return result;
    });
  }

  /** Who has a shard, and what each delivered. */
  at(shard: number): readonly { readonly reducer: ReducerName; readonly result: R | undefined }[] {
    return this.#entries[shard]!.places;
  }

  /** Who owes what, the coordinator as null. */
  owed(): Map<ReducerName, number[]> {
    const owed = new Map<ReducerName, number[]>();
    for (const [i, { places }] of this.#entries.entries()) {
      for (const { reducer, result } of places) {
        const shards = owed.get(reducer) ?? [];
        if (result === undefined && shards.at(-1) !== i) owed.set(reducer, [...shards, i]);
      }
    }
    return owed;
  }

  /** A result of one who was asked for it counts, once. The coordinator's own stands for all that it is to do. */
  deliver(shard: number, reducer: ReducerName, result: R, now: number): Delivery {
    const entry = this.#entries[shard];
    const own = entry?.places.filter((place) => place.reducer === reducer) ?? [];
    if (!entry || own.length === 0) return reducer !== null && entry?.failed.has(reducer) ? 'known' : 'foreign';
    const open = own.filter((place) => place.result === undefined);
    if (open.length === 0) return 'known';
    for (const place of open) {
      place.result = result;
      this.#slowest = Math.max(this.#slowest, now - place.since);
    }
    // A sign that it works: what it owes beside this is not late yet.
    for (const { places } of this.#entries)
      for (const place of places) if (place.reducer === reducer) place.since = now;
    return 'counts';
  }

  /** The coordinator has made it itself, in the place of all others. */
  settle(shard: number, result: R): void {
    this.#entries[shard]!.places = [{ reducer: null, since: 0, result }];
  }

  /** A reducer could not do a shard, or its result cannot be read: another does it. */
  fail(shard: number, reducer: ReducerName, now: number): void {
    const entry = this.#entries[shard];
    for (const place of entry?.places ?? []) {
      if (place.reducer !== reducer) continue;
      place.result = undefined;
      if (reducer !== null) entry!.failed.add(reducer);
      this.#giveOn(entry!, place, now);
    }
  }

  /** A reducer is gone: others do what it owes. */
  lose(reducer: string, now: number): void {
    if (this.#reducers.delete(reducer)) this.#giveAllOn(reducer, now, false);
  }

  /** A reducer cannot be relied on: others do again what it has done, and what it owes. */
  takeFrom(reducer: string, now: number): void {
    this.#reducers.delete(reducer);
    this.#giveAllOn(reducer, now, true);
  }

  /**
   * Takes shards from those that have delivered nothing for so long, or for much longer than the others took.
   *
   * @returns their names
   */
  takeFromLate(now: number, patience: number): string[] {
    const late = new Set<string>();
    const least = this.#patience(patience);
    for (const entry of this.#entries) {
      for (const place of entry.places) {
        if (place.result !== undefined || place.reducer === null || now - place.since < least) continue;
        late.add(place.reducer);
        entry.failed.add(place.reducer);
        this.#giveOn(entry, place, now);
      }
    }
    return [...late];
  }

  /** Milliseconds until the next one is late; infinity when nobody will be. */
  untilLate(now: number, patience: number): number {
    const least = this.#patience(patience);
    let until = Number.POSITIVE_INFINITY;
    for (const { places } of this.#entries)
      for (const { result, reducer, since } of places)
        if (result === undefined && reducer !== null) until = Math.min(until, Math.max(0, since + least - now));
    return until;
  }

  #patience(patience: number): number {
    const places = this.#entries.flatMap((entry) => entry.places);
    const delivered = places.filter(({ result }) => result !== undefined).length;
    if (2 * delivered < places.length) return patience;
    return Math.min(patience, Math.max(QUICK * patience, SLOWER * this.#slowest));
  }

  #giveAllOn(reducer: string, now: number, again: boolean): void {
    for (const entry of this.#entries) {
      for (const place of entry.places) {
        if (place.reducer !== reducer || (place.result !== undefined && !again)) continue;
        place.result = undefined;
        entry.failed.add(reducer);
        this.#giveOn(entry, place, now);
      }
    }
  }

  /** To whom owes least, has not failed at it, and is not doing it already. */
  #giveOn({ places, failed }: Entry<R>, place: Place<R>, now: number): void {
    const owed = this.owed();
    let best: ReducerName = null;
    for (const reducer of this.#reducers) {
      if (failed.has(reducer) || places.some((other) => other !== place && other.reducer === reducer)) continue;
      const load = owed.get(reducer)?.length ?? 0;
      if (best === null || load < (owed.get(best)?.length ?? 0)) best = reducer;
    }
    place.reducer = best;
    place.since = now;
  }
}
