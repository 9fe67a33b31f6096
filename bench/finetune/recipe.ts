import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../../src/base/random.js';
import { loadTokenizer } from '../../src/data/index.js';
import { readModelFolder } from '../../src/hub/model-folder.js';
import { writeAdapter } from '../../src/hub/peft.js';
import { Model } from '../../src/model/model.js';
import { learningRate } from '../../src/training/schedule.js';
import type { Settings } from './settings.js';

/** What both sides do, as a JSON file tells it: the same rows in the same order at the same rates, from the same weights. */
export interface Recipe {
  /** A folder in Hugging Face's layout. */
  readonly model: string;
  /** PEFT's folder of the adapter to begin with; left out, all parameters are trained. */
  readonly adapter?: string;
  /** Int32 tokens, little-endian, [rows, context + 1]: those of one step after the other, then those that are held out. */
  readonly rows: string;
  readonly context: number;
  readonly batch: number;
  readonly threads: number;
  /** Rows at the end on which the loss is measured after the last step. */
  readonly heldOut: number;
  /** Steps that no figure of speed counts. */
  readonly warmup: number;
  /** The learning rate of each step. */
  readonly rates: readonly number[];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly clip: number;
}

/** The published settings of LoRA's own experiments: arXiv 2106.09685, table 11; alpha twice the rank as PEFT's guides have it. */
const LORA = { rank: 16, alpha: 32 };
const RATE = { lora: 2e-4, full: 2e-5 };
const HELD_OUT = 16;

/** What is trained. */
export type Trained = keyof typeof RATE;

/**
 * Writes what both sides need into a folder: rows of the text at random places, and the adapter that training begins with.
 *
 * @returns the recipe's path
 */
export async function writeRecipe(
  folder: string,
  { model, data, context, batch, threads }: Settings,
  { trained, steps, seed }: { readonly trained: Trained; readonly steps: number; readonly seed: number },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const rows = join(folder, 'rows.bin');
  await writeFile(rows, await windowsOf(data, model, steps * batch + HELD_OUT, context + 1, seed));
  const schedule = { peak: RATE[trained], final: RATE[trained] / 10, warmup: Math.ceil(steps / 10), steps };
  const recipe: Recipe = {
    ...{ model, rows, context, batch, threads, heldOut: HELD_OUT, warmup: Math.min(2, steps - 1) },
    rates: Array.from({ length: steps }, (_, step) => learningRate(schedule, step)),
    ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
    ...(trained === 'lora' && { adapter: await initialAdapter(join(folder, 'adapter'), model, seed) }),
  };
  const path = join(folder, 'recipe.json');
  await writeFile(path, JSON.stringify(recipe));
  return path;
}

/** Windows of a text's tokens that begin at random places, as int32. */
async function windowsOf(
  path: string,
  model: string,
  count: number,
  length: number,
  seed: number,
): Promise<Int32Array> {
  const tokens = (await loadTokenizer(model)).encode(await readFile(path, 'utf8'));
  const random = new Random(seed, 'rows');
  const windows = new Int32Array(count * length);
  for (let row = 0; row < count; row++) {
    const start = Math.floor(random.uniform() * (tokens.length - length));
    windows.set(tokens.slice(start, start + length), row * length);
  }
  return windows;
}

async function initialAdapter(folder: string, base: string, seed: number): Promise<string> {
  await mkdir(folder, { recursive: true });
  const opened = await readModelFolder(base);
  const model = Model.fromConfig(opened.config).adapt(LORA);
  await opened.close();
  const trained = model.trained.initialize(new Random(seed, 'adapter'));
  await writeAdapter(folder, { model, trained, settings: LORA, dropout: 0, base });
  return folder;
}
