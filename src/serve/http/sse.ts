/** How a stream of events is kept alive, and given up. */
export interface SseTiming {
  /** Without an event for so long, a comment is sent, so that nobody between takes the connection for dead. */
  readonly pingMs: number;
  /** A reader that takes nothing for so long is given up. */
  readonly stallMs: number;
}

const PING = ': ping\n\n';
const DONE = 'data: [DONE]\n\n';

/**
 * Server-sent events (one line of JSON each, then `[DONE]`), made as they are read: nothing is made for a reader that
 * does not keep up but what is on its way.
 *
 * @param events ends by itself, and never fails: an error is an event
 * @param cut ends the connection of a reader that is given up
 * @param over called once, when all is sent or the reader is gone
 */
export function eventStream(
  events: AsyncIterator<object>,
  { pingMs, stallMs }: SseTiming,
  cut: () => void,
  over: (gone: boolean) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<object>> | undefined;
  let stalled: NodeJS.Timeout | undefined;
  let ended = false;
  const end = (gone: boolean) => {
    clearTimeout(stalled);
    if (ended) return;
    ended = true;
    over(gone);
    // What waits for its turn is told by the signal that `over` gives.
    if (gone) void Promise.resolve(events.return?.()).catch(() => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stalled);
        next ??= events.next();
        const result = await beforeLong(next, pingMs);
        if (ended) return;
        if (result === undefined) controller.enqueue(encoder.encode(PING));
        else if (result.done) {
          controller.enqueue(encoder.encode(DONE));
          controller.close();
          end(false);
          return;
        } else {
          next = undefined;
          controller.enqueue(encoder.encode(`data: ${JSON.stringify(result.value)}\n\n`));
        }
        stalled = setTimeout(() => {
          if (ended) return;
          end(true);
          cut();
        }, stallMs);
        stalled.unref();
      },
      cancel: () => end(true),
    },
    // One at a time is on its way.
    { highWaterMark: 0 },
  );
}

/** What a promise comes to, or undefined where that takes longer. */
async function beforeLong<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
