/** Node's alone; where there is none, in a browser, work takes as long as it takes. */
const Script = globalThis.process?.getBuiltinModule?.('node:vm').Script;
const WORK = Symbol.for('meanfield.time-limit');
const scope = globalThis as { [WORK]?: () => unknown };
const run = Script && new Script(`globalThis[Symbol.for('meanfield.time-limit')]()`);

/** Work was ended since it took too long. */
export class TimeLimitError extends Error {
  override name = 'TimeLimitError';
}

/**
 * Runs what may never come back of itself, such as a regular expression from outside: V8 ends it from another thread,
 * in the middle of a match as well. It costs 40 µs (measured), where a thread of its own would copy all that goes in
 * and out. In a browser nothing ends it but the end of its page or worker.
 *
 * @param milliseconds whole, 1 or more
 * @param work synchronous; what it leaves half done when it is ended must not be used
 * @throws TimeLimitError when it has taken longer
 */
export function withinTime<T>(milliseconds: number, work: () => T): T {
  if (!run) return work();
  const outer = scope[WORK];
  scope[WORK] = work;
  try {
    return run.runInThisContext({ timeout: milliseconds }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new TimeLimitError(`ended after ${milliseconds} ms`);
  } finally {
    if (outer) scope[WORK] = outer;
    else delete scope[WORK];
  }
}
