import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { soakCases } from './cases.js';
import { type Met, SoakClients } from './clients.js';
import { type Serving, startServing } from './serving.js';

/** What a soak is. */
export interface SoakOptions {
  /** The built `cli.js`. */
  readonly program: string;
  readonly model: string;
  /** Words from which prompts are cut. */
  readonly text: string;
  /** Bytes of the prompts that take long to read. */
  readonly longBytes: number;
  readonly clients: number;
  /** Places in the queue. */
  readonly queue: number;
  readonly seconds: number;
  readonly cases: number;
  /** More options of the server. */
  readonly flags?: readonly string[];
}

/** What a soak has shown. */
export interface SoakResult {
  readonly met: Met;
  /** Bytes of memory once a second, from the first request on. */
  readonly rss: readonly number[];
  /** Seconds by which the server's event loop was late, p99 of each ten seconds or less, without the first. */
  readonly late: readonly number[];
  /** The same of the clients' own, which their figures contain; milliseconds. */
  readonly ownLate: number;
  /** What was left when all clients were gone. */
  readonly rest: { readonly running: number; readonly waiting: number; readonly requests: number };
  /** The server's status at its end. */
  readonly code: number | null;
}

const SCRAPE = 10;

/** Many clients ask a server for some time, a third of which go away before their answer is there. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { program, model, text, clients: count, queue, seconds } = options;
  const limits = ['--max-queue', queue, '--client-requests', 2 * count].map(String);
  const serving = await startServing(program, [model, ...limits, ...(options.flags ?? [])]);
  try {
    const cases = await soakCases(serving.url, text, options.cases);
    const own = monitorEventLoopDelay({ resolution: 5 });
    own.enable();
    const clients = new SoakClients({
      ...{ url: serving.url, cases, clients: count, seed: 1, leaving: 1 / 3, longEvery: 100 },
      long: text.slice(0, options.longBytes),
    });
    const [rss, late]: [number[], number[]] = [[], []];
    for (let second = 1; second <= seconds; second++) {
      await sleep(1000);
      rss.push(await serving.rss());
      if (second % SCRAPE !== 0 && second !== seconds) continue;
      const p99 = await serving.figure('event_loop_delay_p99_seconds');
      if (second > SCRAPE) late.push(p99);
    }
    await clients.stop();
    own.disable();
    const rest = await quiet(serving);
    return { met: clients.met, rss, late, ownLate: own.percentile(99) / 1e6, rest, code: await serving.stop() };
  } finally {
    serving.child.kill('SIGKILL');
  }
}

/** What a server still has, when it has had ten seconds to find out that nobody asks any more. */
async function quiet(serving: Serving): Promise<SoakResult['rest']> {
  for (let i = 0; ; i++) {
    const running = await serving.figure('texts_running');
    const waiting = await serving.figure('texts_waiting');
    // The one that asks for the figures is one itself.
    const requests = (await serving.figure('requests_current')) - 1;
    if (i === 100 || running + waiting + requests === 0) return { running, waiting, requests };
    await sleep(100);
  }
}

/** The value below which a share of all lies; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
