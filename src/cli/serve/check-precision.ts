import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from '../../inference/load.js';
import type { WeightPrecision } from '../../inference/precision.js';
import { loss } from '../terminal/format.js';
import type { Output } from '../terminal/output.js';

/** How texts that a model writes begin, so that they are of several kinds. */
const BEGINNINGS = ['The ', 'In the beginning', 'Once upon a time', 'import ', 'Dear ', 'Question: ', '1. '];
const TOKENS = 96;

/**
 * Tells what a precision costs each model: the loss of texts that it wrote itself in full precision, in that and in the other.
 * Their difference is the divergence of the two, in nats a token.
 */
export async function checkPrecision(
  models: readonly string[],
  precision: WeightPrecision,
  output: Output,
): Promise<void> {
  if (precision === 'fp32') {
    output.note('note: --check tells what int8 and int4 cost; weights stay as they are without --precision.\n');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-check-'));
  try {
    for (const model of models) {
      const place = model.replace(/^[^=]+=/, '');
      const files: string[] = [];
      const full = await lossOf(place, 'fp32', async (loaded) => {
        for (const [i, prompt] of BEGINNINGS.entries()) {
          const { text } = await loaded
            .generate({ prompt, maxTokens: TOKENS, temperature: 1, topK: 0, seed: i })
            .result();
          files.push(join(folder, `${files.length}.txt`));
          // What a model of bytes writes may be no text.
          await writeFile(files.at(-1)!, (prompt + text).replace(/[^\P{Cc}\n\t]/gu, ' '));
        }
        return files;
      });
      const fewer = await lossOf(place, precision, async () => files);
      output.event({ type: 'precision', model, precision, loss: fewer, loss_fp32: full });
      const percent = (((fewer - full) / full) * 100).toFixed(2);
      output.note(
        `${model} in ${precision}: loss ${loss(fewer)} instead of ${loss(full)} (${percent} %), on texts of its own\n`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function lossOf(
  place: string,
  precision: WeightPrecision,
  filesOf: (model: Awaited<ReturnType<typeof load>>) => Promise<readonly string[]>,
): Promise<number> {
  const model = await load(place, { precision });
  try {
    return (await model.evaluate(await filesOf(model))).loss;
  } finally {
    await model.close();
  }
}
