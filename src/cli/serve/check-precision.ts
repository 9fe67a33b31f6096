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

/** Texts of which vectors are made. */
const TEXTS = BEGINNINGS.flatMap((one, i) => BEGINNINGS.slice(i).map((other) => `${one} ${other}`.trim()));

/**
 * Tells what a precision costs each model: the loss of texts that it wrote itself in full precision, in that and in the other.
 * Their difference is the divergence of the two, in nats a token. Of a model that makes vectors the cosine of those to its own.
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
      const cosine = await cosineOf(place);
      if (cosine !== undefined) {
        output.event({ type: 'precision', model, precision: 'int8', cosine });
        output.note(`${model} in int8: vectors at a mean cosine of ${cosine.toFixed(5)} to those in fp32\n`);
        continue;
      }
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

/** The mean cosine of a model's vectors in 8 bits to those in full precision; undefined for a model that writes. */
async function cosineOf(place: string): Promise<number | undefined> {
  const vectors: Float32Array[][] = [];
  for (const precision of ['fp32', 'int8'] as const) {
    const model = await load(place, { precision });
    try {
      if (model.writes) return undefined;
      vectors.push(await model.embed(TEXTS));
    } finally {
      await model.close();
    }
  }
  const product = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const cosines = vectors[0]!.map((x, i) => {
    const y = vectors[1]![i]!;
    return product(x, y) / Math.sqrt(product(x, x) * product(y, y));
  });
  return cosines.reduce((a, b) => a + b) / cosines.length;
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
