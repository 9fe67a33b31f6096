import { adapterPlace, placeOf } from '../../hub/open-model.js';
import type { PullOptions } from '../../hub/remote/pull-model.js';
import type { Context } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { interruptible } from '../terminal/interrupt.js';
import type { Output } from '../terminal/output.js';
import { ProgressLine } from '../terminal/progress-line.js';

/**
 * Fetches what a command is given for a model where it is one of the hub that the cache does not have, and the base of an
 * adapter, with a line that tells how far it is. The command finds it in the cache then.
 *
 * @param withBase false where an adapter's base is not asked for: it is put beside another model
 * @returns false when it was interrupted
 */
export async function bringModel(model: string | undefined, context: Context, withBase = true): Promise<boolean> {
  if (model === undefined) return true;
  const brought = await interruptible(context, async (signal) => {
    const bring = async (name: string) => {
      const { line, progress } = pullLine(context.output, name);
      await placeOf(name, { signal, progress }).finally(() => line.end());
    };
    await bring(model);
    if (!withBase || (await adapterPlace(model)) === undefined) return true;
    // Models are a large part of the program, which `info` has no other use for.
    const { adapterBaseOf } = await import('../../hub/load-model.js');
    const base = await adapterBaseOf(model);
    if (base !== undefined) await bring(base);
    return true;
  });
  return brought ?? false;
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
