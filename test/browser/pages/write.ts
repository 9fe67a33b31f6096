import type { JsonObject } from '../../../src/base/json.js';
import { SafetensorsBytes } from '../../../src/base/safetensors-bytes.js';
import { WebEngine, type WebOptions } from '../../../src/engine/web/engine.js';
import { matchModel } from '../../../src/hub/match-model.js';
import type { WeightPrecision } from '../../../src/inference/precision.js';
import { createDecoder } from '../../../src/inference/sequence-decoder.js';
import { weightsIn } from '../../../src/inference/weights.js';
import { type GenerateOptions, type GenerationResult, load, type WebLoadOptions } from '../../../src/web.js';
import { type ProductTask, timeProducts } from './products.js';

/** What a test asks the page to write. */
export interface WritingTask {
  /** The URL of the model's folder. */
  readonly model: string;
  /** Hands the files over in place of the URL. */
  readonly given?: boolean;
  readonly options: WebLoadOptions;
  /** Texts that are written one after another. */
  readonly texts: readonly GenerateOptions[];
}

/** What the page wrote. */
export interface Written extends GenerationResult {
  readonly pieces: readonly string[];
}

declare global {
  var writeInPage: (task: WritingTask) => Promise<Written[]>;
  var failInPage: (task: WritingTask) => Promise<string>;
  var scoreInPage: (task: {
    readonly model: string;
    readonly precision: WeightPrecision;
    readonly ids: readonly number[];
    readonly web: WebOptions;
  }) => Promise<number[]>;
  var timeProductsInPage: (task: ProductTask & { readonly web: WebOptions }) => ReturnType<typeof timeProducts>;
}

const FILES = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'] as const;

async function fileOf(model: string, name: string): Promise<Blob> {
  return (await fetch(`${model}/${name}`)).blob();
}

globalThis.writeInPage = async ({ model, given = false, options, texts }) => {
  const files = async () =>
    Object.fromEntries(await Promise.all(FILES.map(async (name) => [name, await fileOf(model, name)])));
  const loaded = await load(given ? await files() : model, options);
  const written: Written[] = [];
  for (const text of texts) {
    const generation = loaded.generate(text);
    const pieces: string[] = [];
    for await (const piece of generation) pieces.push(piece);
    written.push({ ...(await generation.result()), pieces });
  }
  await loaded.close();
  return written;
};

globalThis.failInPage = (task) =>
  globalThis.writeInPage(task).then(
    () => 'nothing failed',
    (error: Error) => `${error.name}: ${error.message}`,
  );

globalThis.scoreInPage = async ({ model: url, precision, ids, web }) => {
  const config = (await (await fetch(`${url}/config.json`)).json()) as JsonObject;
  const bytes = new Uint8Array(await (await fileOf(url, 'model.safetensors')).arrayBuffer());
  const weights = new SafetensorsBytes(bytes, url);
  const { model, tensors } = matchModel(config, weights, { name: url, path: url });
  const parameters = Object.fromEntries(tensors.map(({ entry, name }) => [entry.name, weights.float32(name)]));
  const engine = await WebEngine.create('wasm', web);
  const decoder = createDecoder({
    ...{ model, engine },
    parameters: precision === 'fp32' ? parameters : weightsIn(precision, model, parameters),
  });
  const scores: number[] = [];
  for (const id of ids) scores.push(...(await decoder.step([id])).logits);
  await decoder.dispose();
  return scores;
};

globalThis.timeProductsInPage = async (task) => timeProducts(await WebEngine.create('wasm', task.web), task);
