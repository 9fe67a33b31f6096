import { messageOf } from '../../base/errors.js';
import type { ServerProcess } from './server-process.js';

/** Between two looks: milliseconds. */
const LOOK = 500;
/** The longest pause before a server is started again that ends again and again. */
const LONGEST = 30_000;
/** One that has lived so long has not ended at once. */
const CALM = 60_000;

/**
 * Starts a server again whenever it has ended, sooner the first time than when it ends again and again.
 *
 * @param say told once of each end, and of each new reason why it does not start
 */
export function supervise(
  server: Pick<ServerProcess, 'revive'>,
  say: (message: string) => void,
  { look = LOOK, now = () => performance.now() } = {},
): { end(): void } {
  let over = false;
  let pause = look;
  let revivedAt = now();
  let told = '';
  let timer: NodeJS.Timeout | undefined;
  const watch = async () => {
    try {
      if (await server.revive()) {
        if (!over) say('Our nats-server had ended; it was started again, and workers connect to it anew.');
        told = '';
        revivedAt = now();
        pause = Math.min(LONGEST, 2 * pause);
      } else if (now() - revivedAt > CALM) pause = look;
    } catch (error) {
      const reason = messageOf(error);
      if (!over && reason !== told) say(`Our nats-server has ended and cannot be started again now: ${reason}`);
      told = reason;
      pause = Math.min(LONGEST, 2 * pause);
    }
    next();
  };
  const next = () => {
    if (over) return;
    timer = setTimeout(() => void watch(), pause);
    timer.unref();
  };
  next();
  return {
    end: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}
