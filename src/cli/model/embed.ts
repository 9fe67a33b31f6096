import { createReadStream } from 'node:fs';
import { MeanfieldError } from '../../base/errors.js';
import { pathFault } from '../../base/files/path-fault.js';
import type { WeightPrecision } from '../../inference/precision.js';
import { type Context, INTERRUPTED } from '../terminal/context.js';
import { grouped } from '../terminal/format.js';
import { interruptible } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { loadModel } from './load-model.js';

/** Lines that are turned into vectors together: those of like length share a run. */
const LINES = 512;
/** Characters of such lines, about. */
const CHARACTERS = 1_000_000;

/** Writes a vector for each line. */
export async function embedLines(
  run: string,
  file: string,
  { precision }: { readonly precision: WeightPrecision },
  context: Context,
): Promise<number> {
  const { output } = context;
  const fault = file === '-' ? undefined : await pathFault(file, 'file');
  if (fault !== undefined) throw new MeanfieldError(`Cannot read ${file}: ${fault}.`);
  const model = await loadModel(run, undefined, context, { precision });
  if (!model) return INTERRUPTED;
  const line = new ProgressLine(output);
  let [texts, width] = [0, 0];
  const done = await interruptible(context, async (signal) => {
    try {
      const bytes = file === '-' ? process.stdin : createReadStream(file);
      for await (const lines of linesOf(bytes, file === '-' ? 'standard input' : file)) {
        for (const vector of await model.embed(lines, { signal })) {
          // Nine digits tell every float32 from its neighbours.
          const values = Array.from(vector, (value) => Number(value.toPrecision(9)));
          output.event({ type: 'vector', line: ++texts, vector: values });
          output.exact(`${values.join(' ')}\n`);
          width = vector.length;
        }
        if (texts >= LINES) line.show(`${grouped(texts)} lines`);
      }
      output.event({ type: 'result', texts, width });
      return 0;
    } finally {
      line.end();
      await model.close();
    }
  });
  return done ?? INTERRUPTED;
}

/**
 * The lines of a text, some at a time; the last may lack its end.
 *
 * @param name of the text, for messages
 * @throws MeanfieldError when it is no UTF-8
 */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (part?: Uint8Array): string => {
    try {
      return decoder.decode(part, { stream: part !== undefined });
    } catch (error) {
      throw new MeanfieldError(`${name} is no UTF-8 text. Save it as UTF-8.`, { cause: error });
    }
  };
  let [lines, characters, rest] = [[] as string[], 0, ''];
  const full = () => lines.length >= LINES || characters >= CHARACTERS;
  for await (const part of bytes) {
    const pieces = decode(part).split('\n');
    pieces[0] = rest + pieces[0]!;
    rest = pieces.pop()!;
    for (const piece of pieces) {
      lines.push(piece.replace(/\r$/, ''));
      characters += piece.length;
      if (!full()) continue;
      yield lines;
      [lines, characters] = [[], 0];
    }
  }
  rest += decode();
  if (rest !== '') lines.push(rest);
  if (lines.length > 0) yield lines;
}
