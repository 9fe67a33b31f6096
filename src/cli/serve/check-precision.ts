import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cosine } from '../../base/cosine.js';
import { UsageError } from '../../base/errors.js';
import type { LanguageModel } from '../../inference/language-model.js';
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
  const staysWhole = (model: string) => {
    output.event({ type: 'precision', model, precision: 'fp32' });
    output.note(`${model} stays in fp32: there is no ${precision} for it\n`);
  };
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-check-'));
  try {
    for (const model of models) {
      const place = model.replace(/^[^=]+=/, '');
      const whole = await opened(place, 'fp32', async (loaded) => {
        if (!loaded.writes) return loaded.embed(TEXTS);
        const files = await writtenBy(loaded, folder);
        return { files, loss: (await loaded.evaluate(files)).loss };
      });
      if (Array.isArray(whole)) {
        const coded = await inFewBits(place, 'int8', (loaded) => loaded.embed(TEXTS));
        if (!coded) {
          staysWhole(model);
          continue;
        }
        const mean = whole.reduce((sum, vector, i) => sum + cosine(vector, coded[i]!), 0) / whole.length;
        output.event({ type: 'precision', model, precision: 'int8', cosine: mean });
        output.note(`${model} in int8: vectors at a mean cosine of ${mean.toFixed(5)} to those in fp32\n`);
        continue;
      }
      const { loss: full, files } = whole;
      const fewer = await inFewBits(place, precision, async (loaded) => (await loaded.evaluate(files)).loss);
      if (fewer === undefined) {
        staysWhole(model);
        continue;
      }
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

/** What a model in few bits does; undefined where there is no such, which a server has in single precision. */
async function inFewBits<T>(
  place: string,
  precision: WeightPrecision,
  work: (model: LanguageModel) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await opened(place, precision, work);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** Texts that a model goes on with, as files. */
async function writtenBy(model: LanguageModel, folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const [i, prompt] of BEGINNINGS.entries()) {
    const { text } = await model.generate({ prompt, maxTokens: TOKENS, temperature: 1, topK: 0, seed: i }).result();
    files.push(join(folder, `${files.length}.txt`));
    // What a model of bytes writes may be no text.
    await writeFile(files.at(-1)!, (prompt + text).replace(/[^\P{Cc}\n\t]/gu, ' '));
  }
  return files;
}

async function opened<T>(
  place: string,
  precision: WeightPrecision,
  work: (model: LanguageModel) => Promise<T>,
): Promise<T> {
  const model = await load(place, { precision });
  try {
    return await work(model);
  } finally {
    await model.close();
  }
}
