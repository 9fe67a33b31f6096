import { snakeKeys } from '../../base/snake-keys.js';
import type { ToldWork } from '../../base/told-work.js';
import type { Context } from './context.js';
import { onInterrupt } from './interrupt.js';

/** What shows events to a person. */
export interface Display<Event> {
  show(event: Event): void;
  /** Takes away what does not stay, before a summary or an error. */
  end(): void;
}

/** How work is followed. */
export interface Following<Event, Result> {
  readonly display: Display<Event>;
  /** What to say at an interrupt, such as `finishing the round, then saving`. */
  readonly stopping: string;
  /** Tells the work to end. */
  readonly stop: () => void;
  /** What a person is told at the end. */
  readonly summary: (result: Result) => string;
}

/** Tells the events of work to programs and to a person until it ends, which an interrupt brings on. */
export async function follow<Event extends object, Result extends object>(
  work: Pick<ToldWork<Event, Result>, 'result' | typeof Symbol.asyncIterator>,
  { output, closed }: Context,
  { display, stopping, stop, summary }: Following<Event, Result>,
): Promise<Result> {
  const interruption = onInterrupt(output, stopping, stop);
  closed.addEventListener('abort', stop);
  try {
    for await (const event of work) {
      output.event(snakeKeys(event));
      display.show(event);
    }
    const result = await work.result;
    display.end();
    output.event(snakeKeys(result));
    output.text(summary(result));
    return result;
  } finally {
    display.end();
    interruption.release();
  }
}
