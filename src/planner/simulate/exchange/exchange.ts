import type { Simulation, TimelineEvent, Track } from '../timeline.js';
import { converge } from './converge.js';
import { type CriticalLink, criticalPathOf, nameOf } from './critical-path.js';
import { type ExchangeSizes, exchangeClosedForm, sizesOf } from './sizes.js';
import { checkExchange, type ExchangeSpec, participantsOf } from './spec.js';

export interface ExchangeReport {
  readonly workers: number;
  readonly reducers: number;
  readonly shards: number;
  /** Transfers whose ends were computed. */
  readonly transfers: number;
  readonly seconds: number;
  /** When the last worker was ready, the last contribution in, the last sum done, the last result there. */
  readonly until: {
    readonly ready: number;
    readonly reduced: number;
    readonly summed: number;
    readonly gathered: number;
  };
  readonly bytes: {
    readonly total: number;
    readonly contributions: number;
    readonly results: number;
    /** Of a worker that sums nothing. */
    readonly worker: { readonly sent: number; readonly received: number };
    /** Of the busiest that sums. */
    readonly reducer: { readonly sent: number; readonly received: number };
  };
  /** When the first, the middle and the last worker had the whole result. */
  readonly done: { readonly first: number; readonly median: number; readonly last: number };
  readonly criticalPath: readonly CriticalLink[];
  /** With equal lines and all ready at once; else null. */
  readonly closedForm: number | null;
}

/** More workers than this have no track of their own. */
const MOST_TRACKS = 1000;

/**
 * One averaging among many workers: shards go to the workers that sum them (reduce), and once all sums are committed
 * everyone fetches all of them (gather). Transfers to one reducer share its line as a fluid, max-min fair; a worker
 * divides its own line evenly over the reducers. The ends of all transfers are computed, none is stepped through.
 *
 * @throws UsageError when the spec is out of range or absurdly large
 */
export function simulateExchange(spec: ExchangeSpec): Simulation<ExchangeReport> {
  checkExchange(spec);
  const shown = spec.workers <= MOST_TRACKS ? spec.workers : Math.min(spec.workers, spec.shards);
  const tracks: Track[] = Array.from({ length: shown }, (_, i) => [
    { process: nameOf(i), thread: 'training and receiving' },
    { process: nameOf(i), thread: 'summing' },
  ]).flat();
  return { tracks, mostEvents: 5 * shown + 1, play: () => play(spec, shown) };
}

function* play(spec: ExchangeSpec, shown: number): Generator<TimelineEvent, ExchangeReport> {
  const { latency = 0 } = spec;
  const workers = participantsOf(spec);
  const size = sizesOf(spec);
  const { reducers } = size;
  // A worker that sums keeps its own shards.
  const parts = (worker: number) => Math.max(1, worker < reducers ? reducers - 1 : reducers);
  const byReady = workers.map((_, i) => i).sort((a, b) => workers[a]!.ready - workers[b]!.ready || a - b);
  const lastReady = workers[byReady.at(-1)!]!.ready;
  for (let i = 0; i < shown; i++) yield span(2 * i, 'training', 0, workers[i]!.ready);

  let transfers = 0;
  let reduced = 0;
  let slowest = { reducer: 0, from: 0, at: -1, summed: 0 };
  let summed = 0;
  for (let r = 0; r < reducers; r++) {
    let last = { worker: r, at: workers[r]!.ready };
    converge(
      {
        capacity: workers[r]!.down,
        bytes: size.contribution(r),
        order: byReady.filter((i) => i !== r),
        start: (i) => workers[i]!.ready + latency,
        cap: (i) => workers[i]!.up / parts(i),
      },
      (worker, at) => {
        transfers++;
        if (at >= last.at) last = { worker, at };
      },
    );
    reduced = Math.max(reduced, last.at);
    const end = last.at + size.sumSeconds(r);
    summed = Math.max(summed, end);
    if (end > slowest.summed || slowest.at < 0) slowest = { reducer: r, from: last.worker, at: last.at, summed: end };
    if (r < shown) {
      yield span(2 * r + 1, 'reduce', workers[byReady[0]!]!.ready + latency, last.at);
      yield span(2 * r + 1, 'sum', last.at, end);
    }
  }

  // One message says that all sums are in, another asks for a shard.
  const commit = summed + latency;
  const start = commit + latency;
  const done = new Float64Array(workers.length).fill(commit);
  const everyone = workers.map((_, i) => i);
  let final = { reducer: 0, worker: 0, at: commit };
  for (let r = 0; r < reducers; r++) {
    let end = start;
    converge(
      {
        capacity: workers[r]!.up,
        bytes: size.result(r),
        order: everyone.filter((i) => i !== r),
        start: () => start,
        cap: (i) => workers[i]!.down / parts(i),
      },
      (worker, at) => {
        transfers++;
        end = at;
        done[worker] = Math.max(done[worker]!, at);
        if (at > final.at) final = { reducer: r, worker, at };
      },
    );
    if (r < shown) yield span(2 * r + 1, 'gather', start, end);
  }
  for (let i = 0; i < shown; i++) if (done[i]! > start) yield span(2 * i, 'receiving', start, done[i]!);
  const sorted = done.slice().sort();
  return {
    workers: spec.workers,
    reducers,
    shards: spec.shards,
    transfers,
    seconds: final.at,
    until: { ready: lastReady, reduced, summed, gathered: final.at },
    bytes: bytesOf(spec.workers, size),
    done: { first: sorted[0]!, median: sorted[sorted.length >>> 1]!, last: sorted.at(-1)! },
    criticalPath: criticalPathOf(workers, size, parts, { slowest, final, commit, start, latency }),
    closedForm: exchangeClosedForm(spec, size),
  };
}

function bytesOf(workers: number, size: ExchangeSizes): ExchangeReport['bytes'] {
  let contribution = 0;
  let result = 0;
  for (let r = 0; r < size.reducers; r++) {
    contribution += size.contribution(r);
    result += size.result(r);
  }
  const others = workers - 1;
  return {
    total: others * (contribution + result),
    contributions: others * contribution,
    results: others * result,
    worker: { sent: contribution, received: result },
    reducer: {
      sent: contribution - size.contribution(0) + others * size.result(0),
      received: others * size.contribution(0) + result - size.result(0),
    },
  };
}

function span(track: number, name: string, start: number, end: number): TimelineEvent {
  return { type: 'span', track, name, category: name, start, end };
}
