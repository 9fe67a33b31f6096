import type { Context } from './context.js';
import type { Output } from './output.js';

/** Watches for Ctrl-C while a command works. */
export interface Interruption {
  /** Whether the user (or a batch system) asked to stop. */
  readonly requested: boolean;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Ctrl-C, a batch system's or a user's kill, and a terminal that was closed or a connection that was lost. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm and npx pass on a Ctrl-C that the terminal has sent as well: milliseconds within which two signals are one. */
const ECHO = 100;

/**
 * The first SIGINT, SIGTERM or SIGHUP calls `stop`, the second only says that it is already stopping, the third kills.
 *
 * @param stopping what to say at the first signal, such as `finishing the round, then saving`
 * @param now milliseconds
 */
export function onInterrupt(
  output: Output,
  stopping: string,
  stop: () => void,
  now: () => number = () => performance.now(),
): Interruption {
  let times = 0;
  let last = Number.NEGATIVE_INFINITY;
  const release = () => {
    for (const signal of SIGNALS) process.off(signal, handle);
  };
  const handle = (signal: NodeJS.Signals) => {
    const time = now();
    if (time - last < ECHO) return;
    last = time;
    times++;
    if (times === 1) {
      output.note(`\n${stopping} (${signal})\n`);
      stop();
    } else if (times === 2) {
      output.note('already stopping; once more ends at once, without saving\n');
    } else {
      release();
      process.kill(process.pid, signal);
    }
  };
  for (const signal of SIGNALS) process.on(signal, handle);
  return {
    get requested() {
      return times > 0;
    },
    release,
  };
}

/**
 * Does work that Ctrl-C stops, or whoever reads standard output by closing it.
 *
 * @returns what it came to; undefined where it was stopped and failed by that
 */
export async function interruptible<T>(
  { output, closed }: Context,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stop = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => stop.abort());
  closed.addEventListener('abort', () => stop.abort());
  try {
    return await work(stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return undefined;
    throw error;
  } finally {
    interruption.release();
  }
}
