import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { parseArgs, table } from '../lib.js';
import type { Share, Tally } from './schedules-worker.js';

const KINDS = ['steady', 'chaos'] as const;
/** Schedules that a thread takes at a time: small, so that all cores end together. */
const SHARE = 500;

/**
 * `npm run bench -- schedules [N] [--threads N]`: N random schedules (100,000 unless given), four of five with loss,
 * crashes and partitions. One that is stuck or diverges ends the bench with its seed.
 */
export async function run(args: string[]): Promise<void> {
  const { options, rest } = parseArgs(args);
  const schedules = Number(rest[0] ?? 100_000);
  const threads = Number(options.threads ?? availableParallelism());
  const counts = { steady: Math.round(schedules / 5), chaos: schedules - Math.round(schedules / 5) };
  const rows: (string | number)[][] = [];
  const began = performance.now();
  for (const kind of KINDS) {
    const start = performance.now();
    const tally = await shareOut(kind, counts[kind], threads);
    const seconds = (performance.now() - start) / 1000;
    const { commits, aborts, thrownOut, ticks } = tally;
    rows.push([kind, counts[kind], commits, aborts, thrownOut, ticks, seconds.toFixed(1)]);
  }
  const all = ((performance.now() - began) / 1000).toFixed(1);
  rows.push(['both', schedules, ...[2, 3, 4, 5].map((i) => rows.reduce((sum, row) => sum + Number(row[i]), 0)), all]);
  table(
    ['kind', 'schedules', 'commits', 'aborts', 'living workers thrown out', 'events', `seconds, ${threads} threads`],
    rows,
  );
  console.log('None stuck, none divergent, no commit lost.');
}

/** Seeds 0 to `count` − 1 over all threads, each asking for more when it is done. */
async function shareOut(kind: Share['kind'], count: number, threads: number): Promise<Tally> {
  const sum: Tally = { commits: 0, aborts: 0, thrownOut: 0, ticks: 0 };
  let next = 0;
  const take = (): Share | undefined => {
    if (next >= count) return undefined;
    const from = next;
    next = Math.min(count, from + SHARE);
    return { kind, from, to: next };
  };
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(fileURLToPath(new URL('schedules-worker.js', import.meta.url)));
      const give = () => {
        const share = take();
        if (share) worker.postMessage(share);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (tally: Tally) => {
        for (const key of ['commits', 'aborts', 'thrownOut', 'ticks'] as const) sum[key] += tally[key];
        give();
      });
      worker.once('error', reject);
      give();
    });
  await Promise.all(Array.from({ length: threads }, work));
  return sum;
}
