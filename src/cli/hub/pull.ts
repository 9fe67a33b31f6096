import { pullModel } from '../../hub/remote/pull-model.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { bytes } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { pullLine } from './bring-model.js';

/** Brings a model of the hub into the cache. */
export async function pull(model: string, { output, closed }: Context): Promise<number> {
  const stop = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => stop.abort());
  closed.addEventListener('abort', () => stop.abort());
  const { line, progress } = pullLine(output, model);
  try {
    const pulled = await pullModel(model, { signal: stop.signal, progress });
    line.end();
    output.event({ type: 'result', ...pulled });
    output.text(`${pulled.path}: ${pulled.files.length} files, ${bytes(pulled.bytes)}\n`);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    line.end();
    interruption.release();
  }
}
