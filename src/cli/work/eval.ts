import { load } from '../../load.js';
import { type Context, INTERRUPTED } from '../context.js';
import { grouped, table } from '../format.js';
import { onInterrupt } from '../interrupt.js';
import { ProgressLine } from '../progress-line.js';

/** Measures a model on files. */
export async function evaluateFiles(run: string, files: readonly string[], context: Context): Promise<number> {
  const { output, closed } = context;
  const model = await load(run);
  const stop = new AbortController();
  const interruption = onInterrupt(output, 'stopping', () => stop.abort());
  closed.addEventListener('abort', () => stop.abort());
  const line = new ProgressLine(output);
  for (const message of model.notices) {
    output.event({ type: 'notice', message });
    output.note(`note: ${message}\n`);
  }
  try {
    const progress = (tokens: number) => line.show(`${grouped(tokens)} tokens`);
    const { bitsPerByte, ...figures } = await model.evaluate(files, { signal: stop.signal, progress });
    const { loss, perplexity, accuracy, tokens, bytes } = figures;
    line.end();
    output.event({ type: 'result', loss, perplexity, bits_per_byte: bitsPerByte, accuracy, tokens, bytes });
    output.text(
      table([
        ['loss', `${loss.toFixed(4)} nats per token`],
        ['perplexity', perplexity.toFixed(2)],
        ['bits per byte', bitsPerByte.toFixed(4)],
        ['accuracy', `${(100 * accuracy).toFixed(2)} %`],
        ['tokens', grouped(tokens)],
        ['bytes', grouped(bytes)],
      ]),
    );
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    throw error;
  } finally {
    line.end();
    interruption.release();
    await model.close();
  }
}
