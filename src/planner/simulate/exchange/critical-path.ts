import type { ExchangeSizes } from './sizes.js';
import type { Participant } from './spec.js';

/** A link of the chain that the exchange's end hangs on; seconds since the first worker was ready. */
export interface CriticalLink {
  readonly what: 'ready' | 'contribution' | 'sum' | 'commit' | 'result';
  readonly from: string;
  readonly to: string;
  readonly start: number;
  readonly end: number;
  /** What its length depends on. */
  readonly limit: string;
}

/** The chain of what the end of an exchange waited for. */
export function criticalPathOf(
  workers: readonly Participant[],
  size: ExchangeSizes,
  parts: (worker: number) => number,
  at: {
    readonly slowest: { readonly reducer: number; readonly from: number; readonly at: number; readonly summed: number };
    readonly final: { readonly reducer: number; readonly worker: number; readonly at: number };
    readonly commit: number;
    readonly start: number;
    readonly latency: number;
  },
): CriticalLink[] {
  const { slowest, final, commit, start, latency } = at;
  const { ready, up } = workers[slowest.from]!;
  const others = workers.length - 1;
  const limitOf = (seconds: number, alone: number, own: string, shared: string) =>
    seconds <= alone * 1.001 ? own : `${shared}, shared by up to ${others} transfers`;
  const sender = nameOf(slowest.from);
  const reducer = nameOf(slowest.reducer);
  const source = nameOf(final.reducer);
  const receiver = nameOf(final.worker);
  const sent = ready + latency;
  return [
    { what: 'ready', from: sender, to: sender, start: 0, end: ready, limit: `the steps of ${sender}` },
    {
      what: 'contribution',
      from: sender,
      to: reducer,
      start: ready,
      end: slowest.at,
      limit: limitOf(
        slowest.at - sent,
        size.contribution(slowest.reducer) / (up / parts(slowest.from)),
        `the line from ${sender}`,
        `the line to ${reducer}`,
      ),
    },
    {
      what: 'sum',
      from: reducer,
      to: reducer,
      start: slowest.at,
      end: slowest.summed,
      limit: `the sums of ${reducer}`,
    },
    { what: 'commit', from: reducer, to: source, start: slowest.summed, end: commit, limit: 'latency' },
    {
      what: 'result',
      from: source,
      to: receiver,
      start: commit,
      end: final.at,
      limit: limitOf(
        final.at - start,
        size.result(final.reducer) / (workers[final.worker]!.down / parts(final.worker)),
        `the line to ${receiver}`,
        `the line from ${source}`,
      ),
    },
  ];
}

/** What a worker is called in reports and traces. */
export function nameOf(worker: number): string {
  return `worker ${worker}`;
}
