import { pullModel } from '../../hub/remote/pull-model.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { interruptible } from '../terminal/interrupt.js';
import { pullLine } from './bring-model.js';

/** Brings a model of the hub into the cache. */
export async function pull(model: string, context: Context): Promise<number> {
  const { output } = context;
  const { line, progress } = pullLine(output, model);
  const done = await interruptible(context, async (signal) => {
    try {
      const pulled = await pullModel(model, { signal, progress });
      line.end();
      output.event({ type: 'result', ...pulled });
      output.text(`${pulled.path}: ${pulled.files.length} files, ${bytes(pulled.bytes)}\n`);
      return 0;
    } finally {
      line.end();
    }
  });
  return done ?? INTERRUPTED;
}
