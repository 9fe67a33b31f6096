import type { ServerResponse } from 'node:http';

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
 * Sends events (one line of JSON each, then `[DONE]`) over a response whose head is written. They are made as they are
 * read: for a reader that does not keep up nothing is made but what Node's buffer of a socket holds. Straight to the
 * socket, as a stream of the web's between took more of a server's time than all else that its thread does.
 *
 * @param events ends by itself, and never fails: an error is an event
 * @param over called once, when all is sent or the reader is gone
 */
export async function sendEvents(
  events: AsyncIterator<object>,
  { pingMs, stallMs }: SseTiming,
  response: ServerResponse,
  over: (gone: boolean) => void,
): Promise<void> {
  let ended = false;
  const end = (gone: boolean) => {
    if (ended) return;
    ended = true;
    for (const timer of [ping, stalled]) clearTimeout(timer);
    over(gone);
    // What waits for its turn is told by the signal that `over` gives.
    if (gone) void Promise.resolve(events.return?.()).catch(() => {});
  };
  const ping = setTimeout(() => {
    if (!response.writableNeedDrain && !response.destroyed) response.write(PING);
    ping.refresh();
  }, pingMs);
  let stalled: NodeJS.Timeout | undefined;
  const cutWhenStalled = () => {
    stalled = setTimeout(() => response.destroy(), stallMs);
    stalled.unref();
  };
  let wake: (() => void) | undefined;
  if (response.destroyed) return end(true);
  response.once('close', () => {
    end(true);
    wake?.();
  });
  // What is written to a socket that is being closed.
  response.on('error', () => {});
  for (;;) {
    const { value, done } = await events.next();
    if (ended || response.destroyed) return;
    ping.refresh();
    if (done) {
      cutWhenStalled();
      response.end(DONE, () => end(false));
      return;
    }
    if (response.write(`data: ${JSON.stringify(value)}\n\n`)) continue;
    cutWhenStalled();
    await new Promise<void>((resolve) => {
      wake = resolve;
      response.once('drain', resolve);
    });
    clearTimeout(stalled);
    if (ended) return;
  }
}
