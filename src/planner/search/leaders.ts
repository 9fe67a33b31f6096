import type { Arrangement, MemoryUse } from '../types.js';
import { OFFLOAD, strategyOf } from './strategy.js';
import type { Candidate, StrategyResult } from './types.js';

/** How many grids are kept beside the best. */
const ALTERNATIVES = 5;

/** The best of a strategy so far; without a candidate, what came nearest to fitting. */
export class Leader {
  readonly strategy: string;
  best: Candidate | undefined;
  nearest: Candidate | undefined;
  /** Seconds that must be beaten. */
  seconds = Number.POSITIVE_INFINITY;

  constructor(strategy: string) {
    this.strategy = strategy;
  }

  /** Whether what does not fit would be the nearest to it, and that is of interest. */
  isNearer(memory: MemoryUse): boolean {
    if (this.best !== undefined) return false;
    return this.nearest === undefined || excess(memory) < excess(this.nearest.prediction.memory);
  }

  offer(candidate: Candidate): void {
    if (candidate.prediction.fits) {
      const { total } = candidate.prediction.time;
      if (!(total < this.seconds)) return;
      this.best = candidate;
      this.seconds = total;
    } else if (this.isNearer(candidate.prediction.memory)) {
      this.nearest = candidate;
    }
  }
}

/** Bytes by which an arrangement does not fit. */
function excess({ total, available }: MemoryUse): number {
  return total - available;
}

/** Keeps who leads by strategy and by grid. */
export class Leaders {
  readonly #strategies = new Map<string, Leader>();
  /** The same by what decides a strategy, since its words take longer to find than a step to predict. */
  readonly #kinds: (Leader | undefined)[] = [];
  readonly #grids: Candidate[] = [];

  of(arrangement: Parameters<typeof strategyOf>[0]): Leader {
    const kind = kindOf(arrangement);
    let leader = this.#kinds[kind];
    if (leader !== undefined) return leader;
    const strategy = strategyOf(arrangement);
    leader = this.#strategies.get(strategy) ?? new Leader(strategy);
    this.#strategies.set(strategy, leader);
    this.#kinds[kind] = leader;
    return leader;
  }

  /** Seconds of the fastest so far. */
  get best(): number {
    return this.#grids[0]?.prediction.time.total ?? Number.POSITIVE_INFINITY;
  }

  /** Seconds below which an arrangement is among the best grids. */
  get seconds(): number {
    return this.#grids.length <= ALTERNATIVES
      ? Number.POSITIVE_INFINITY
      : this.#grids[ALTERNATIVES]!.prediction.time.total;
  }

  /** Takes a candidate that fits into the list of grids, if it is fast enough. */
  rank(candidate: Candidate): void {
    const seconds = candidate.prediction.time.total;
    if (seconds >= this.seconds) return;
    const same = this.#grids.findIndex(({ arrangement }) => sameGrid(arrangement, candidate.arrangement));
    if (same >= 0) {
      if (this.#grids[same]!.prediction.time.total <= seconds) return;
      this.#grids.splice(same, 1);
    }
    const place = this.#grids.findIndex(({ prediction }) => prediction.time.total > seconds);
    this.#grids.splice(place < 0 ? this.#grids.length : place, 0, candidate);
    this.#grids.length = Math.min(this.#grids.length, ALTERNATIVES + 1);
  }

  /** Grids, fastest first. */
  get grids(): readonly Candidate[] {
    return this.#grids;
  }

  /**
   * Strategies, fastest first, then those that do not fit, nearest first. Offloading is left out where the same
   * strategy is faster without.
   */
  strategies(): StrategyResult[] {
    const plain = (strategy: string) => this.#strategies.get(strategy.replace(OFFLOAD, ''))!;
    const all = [...this.#strategies.values()].filter(
      (leader) => leader === plain(leader.strategy) || leader.seconds < plain(leader.strategy).seconds,
    );
    const fitting = all.flatMap(({ strategy, best }) => (best ? [{ strategy, ...best }] : []));
    const others = all.flatMap(({ strategy, best, nearest }) => (!best && nearest ? [{ strategy, ...nearest }] : []));
    return [
      ...fitting.sort((a, b) => a.prediction.time.total - b.prediction.time.total),
      ...others.sort((a, b) => excess(a.prediction.memory) - excess(b.prediction.memory)),
    ];
  }
}

/** A small number for all that `strategyOf` looks at. */
function kindOf({ data, tensor, pipeline, context, expert, zero, offload }: Parameters<typeof strategyOf>[0]): number {
  let kind: number = zero;
  for (const yes of [data > 1, tensor > 1, pipeline > 1, context > 1, expert > 1, offload !== 'none']) {
    kind = 2 * kind + (yes ? 1 : 0);
  }
  return kind;
}

function sameGrid(a: Arrangement, b: Arrangement): boolean {
  return a.data === b.data && a.tensor === b.tensor && a.pipeline === b.pipeline && a.context === b.context;
}
