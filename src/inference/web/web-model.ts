import { z } from 'zod';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { optionIssues } from '../../base/option-issues.js';
import { shapeOf } from '../../base/option-schema.js';
import { SafetensorsBytes } from '../../base/safetensors-bytes.js';
import { spelledError } from '../../base/spelling.js';
import { parseTokenizer } from '../../data/tokenizers/parse.js';
import { WebEngine } from '../../engine/web/engine.js';
import { checkCopy, matchModel, textFiles } from '../../hub/match-model.js';
import type { MatchedTensor } from '../../hub/match-tensors.js';
import type { Generation } from '../generation.js';
import { Generator } from '../generator.js';
import { PRECISION_OPTIONS } from '../option-table.js';
import type { GenerateOptions } from '../options.js';
import type { WeightPrecision } from '../precision.js';
import { fusingEngine } from '../sequence-decoder.js';
import { weightsIn } from '../weights.js';
import { modelSource, readFileOf, readObject, readText, type WebModelFiles } from './model-source.js';

/**
 * How a page or a worker computes with a model.
 *
 * @category Using a model
 */
export interface WebLoadOptions {
  /**
   * How the weights of products are kept: as they are (`fp32`), or in blocks of whole numbers of 8 or 4 bits. Those take a
   * quarter of the memory or less, and ten times as long: WASM has no products of them and expands them at each step.
   * Default `fp32`.
   */
  readonly precision?: WeightPrecision;
  /** Threads of the engine, shared by all models. More than 1 needs a cross-origin isolated page. Default 1. */
  readonly threads?: number;
  /**
   * The URL of a folder with the `.wasm` and `.mjs` files of `onnxruntime-web/dist`, ending in a slash. Default: where they lie
   * beside ONNX Runtime's own script.
   */
  readonly runtime?: string;
}

const schema = z.strictObject({
  ...shapeOf({ precision: PRECISION_OPTIONS.precision }),
  threads: z.int().min(1).optional(),
  runtime: z.string().optional(),
});

/**
 * A model in the memory of a page or a worker, ready to write. Texts are written one after another, in the order in which they
 * were begun; each token blocks the thread that asks. {@link WebModel.close} it to free its memory.
 *
 * @category Using a model
 */
export class WebModel implements AsyncDisposable {
  readonly #generator: Generator;
  #closed = false;

  /** @internal */
  constructor(
    generator: Generator,
    /** Elements of all its parameters. */
    readonly parameters: number,
    /** The longest sequence that it looks at, in tokens. */
    readonly context: number,
    /** What should be known of its files: keys of its configuration and tensors that nothing here reads. */
    readonly notices: readonly string[],
  ) {
    this.#generator = generator;
  }

  /**
   * Continues a text, or writes what belongs to it, of a model that reads a source: the same tokens as in Node.
   *
   * @returns pieces of text as they come; its `result()` has the figures
   * @throws UsageError for an option that is not allowed
   * @throws MeanfieldError for a prompt with characters that the model does not know, or when the model is closed
   *
   * @example
   * import { load } from 'meanfield/web';
   *
   * const model = await load('/models/book');
   * for await (const text of model.generate({ prompt: 'Once', maxTokens: 100 })) console.log(text);
   */
  generate(options: GenerateOptions = {}): Generation {
    if (this.#closed) throw new MeanfieldError('The model is closed. Load it again to go on.');
    return this.#generator.generate(options);
  }

  /** Frees the model's memory; what it is at work on fails. To close it again does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#generator.dispose();
  }

  /** {@link close}, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Loads a model in a page or a worker, to be run by ONNX Runtime's WASM: a folder in Hugging Face's layout, as `train` and
 * `export --to hf` write it, with its weights in one file.
 *
 * @param model the URL of the folder, or its files by their names
 * @throws UsageError for an option that is not allowed, or a model that does not write
 * @throws MeanfieldError when a file is missing or damaged, or the weights are not those of the configuration
 *
 * @example
 * import { load } from 'meanfield/web';
 *
 * const model = await load('/models/book', { runtime: '/onnxruntime/' });
 * console.log((await model.generate({ prompt: 'Once' }).result()).text);
 * await model.close();
 *
 * @category Using a model
 */
export async function load(model: string | URL | WebModelFiles, options: WebLoadOptions = {}): Promise<WebModel> {
  const { precision, threads, runtime } = checked(options);
  const source = modelSource(model);
  const { path } = source;
  const config = await readObject(source, 'config.json');
  // Said at once where there is no model: its weights may be large.
  if (config === undefined) await readFileOf(source, 'config.json');
  const [json, more, generationConfig, bytes] = await Promise.all([
    readText(source, 'tokenizer.json'),
    readText(source, 'tokenizer_config.json'),
    readObject(source, 'generation_config.json'),
    readFileOf(source, 'model.safetensors'),
  ]);
  const weights = new SafetensorsBytes(bytes, `${path}/model.safetensors`);
  const matched = matchModel(config!, weights, { name: path, path });
  const { architecture, dimensions, layout } = matched.model;
  if (architecture.sees === 'all')
    throw new UsageError(`A ${architecture.name} model reads all of a text at once: it does not write.`);
  const texts = {
    ...(json !== undefined && { 'tokenizer.json': json }),
    ...(more !== undefined && { 'tokenizer_config.json': more }),
  };
  const tokenizer = await parseTokenizer(textFiles(texts, path), path);
  const engine = await WebEngine.create('wasm', { threads, ...(runtime !== undefined && { files: runtime }) });
  if (precision !== 'fp32') fusingEngine(engine, matched.model, precision);
  const parameters = parametersOf(weights, matched.tensors);
  const generator = new Generator({
    model: matched.model,
    parameters: precision === 'fp32' ? { ...parameters } : weightsIn(precision, matched.model, parameters),
    ...(generationConfig && { generationConfig }),
    tokenizer,
    engine,
  });
  return new WebModel(generator, layout.size, dimensions.context, matched.notices);
}

/** The parameters by name, each made when it is asked for: in few bits a model need not be in memory in single precision. */
function parametersOf(
  weights: SafetensorsBytes,
  tensors: readonly MatchedTensor[],
): Readonly<Record<string, Float32Array>> {
  const parameters = {};
  for (const { entry, name, copies } of tensors)
    Object.defineProperty(parameters, entry.name, {
      enumerable: true,
      get() {
        const values = weights.float32(name);
        for (const copy of copies)
          checkCopy(weights.path, { name, values }, { name: copy, values: weights.float32(copy) });
        return values;
      },
    });
  return parameters;
}

function checked(options: WebLoadOptions) {
  const result = schema.safeParse(options, { reportInput: true });
  if (!result.success)
    throw spelledError(UsageError, (spelling) => {
      const all = Object.keys(schema.shape).join(', ');
      return `Cannot load a model: ${optionIssues(result.error, spelling)}. Options: ${all}.`;
    });
  const { precision, threads = 1, runtime } = result.data as { precision: WeightPrecision } & WebLoadOptions;
  return { precision, threads, runtime };
}
