import type { Call } from '../api/call.js';
import type { UsageCount } from './choices.js';

/** What the pieces of a stream have in common. */
export interface StreamParts {
  readonly head: object;
  /** Of a stream that ends with its usage: every piece has a `usage` then, null but for the last. */
  readonly usage?: (() => UsageCount) | undefined;
}

/**
 * Pieces of texts as the events of a stream. What fails is its last event, in the form of an error's answer; the status
 * is sent by then.
 *
 * @param pieces each a `choices[0]`
 */
export async function* streamed(
  call: Call,
  pieces: AsyncIterable<object>,
  { head, usage }: StreamParts,
): AsyncGenerator<object, void> {
  const rest = usage === undefined ? {} : { usage: null };
  try {
    for await (const piece of pieces) yield { ...head, choices: [piece], ...rest };
    if (usage !== undefined) yield { ...head, choices: [], usage: usage() };
  } catch (thrown) {
    yield call.failed(thrown).body;
  }
}
