import { adapterBaseOf } from '../../hub/load-model.js';
import { placeOf } from '../../hub/open-model.js';
import type { PullOptions } from '../../hub/remote/pull-model.js';
import type { Context } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';
import { ProgressLine } from '../terminal/progress-line.js';

/**
 * Fetches what a command is given for a model where it is one of the hub that the cache does not have, and the base of an
 * adapter, with a line that tells how far it is. The command finds it in the cache then.
 *
 * @returns false when it was interrupted
 */
export async function bringModel(model: string | undefined, { output, closed }: Context): Promise<boolean> {
  if (model === undefined) return true;
  const stop = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => stop.abort());
  closed.addEventListener('abort', () => stop.abort());
  const bring = async (name: string) => {
    const { line, progress } = pullLine(output, name);
    await placeOf(name, { signal: stop.signal, progress }).finally(() => line.end());
  };
  try {
    await bring(model);
    const base = await adapterBaseOf(model);
    if (base !== undefined) await bring(base);
    return true;
  } catch (error) {
    if (stop.signal.aborted) return false;
    throw error;
  } finally {
    interruption.release();
  }
}

/** A line that tells how far a download is. */
export function pullLine(
  output: Output,
  model: string,
): Required<Pick<PullOptions, 'progress'>> & { line: ProgressLine } {
  const line = new ProgressLine(output);
  return {
    line,
    progress: ({ file, bytes: done, ofBytes }) =>
      line.show(`fetching ${model}: ${bytes(done)} of ${bytes(ofBytes)}, ${file}`),
  };
}
