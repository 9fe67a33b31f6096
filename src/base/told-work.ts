import type { EventQueue } from './event-queue.js';

/** Work under way that tells events. They can be read once, with `for await`; reading them is not needed. */
export interface ToldWork<Event, Result> extends AsyncIterable<Event> {
  /** A failure of which neither this nor the events tell anybody is an unhandled rejection. */
  readonly result: Promise<Result>;
  /** Tells it to end, and waits until it has, however it ends: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Joins work and its events.
 *
 * @param stop tells the work to end; of no effect once it has. A reader that leaves the events, as by `break`, does not
 * want the work to go on.
 */
export function toldWork<Event, Result>(
  work: Promise<Result>,
  events: EventQueue<Event>,
  stop: () => void,
): ToldWork<Event, Result> {
  work.then(
    () => events.end(),
    (error: unknown) => events.end({ error }),
  );
  // A promise of its own, since `work` has a listener by now: a failure that nobody waits for is an unhandled rejection.
  const result = work.then((value) => value);
  return {
    result,
    async *[Symbol.asyncIterator]() {
      // Whoever reads the events hears of a failure there.
      result.catch(() => {});
      try {
        yield* events;
      } finally {
        stop();
      }
    },
    async [Symbol.asyncDispose]() {
      stop();
      await result.catch(() => {});
    },
  };
}
