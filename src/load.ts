import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { MeanfieldError, messageOf } from './base/errors.js';
import { NodeEngine } from './engine/node/engine.js';
import { type GenerateOptions, type Generation, Generator } from './generation/index.js';
import { type LoadedModel, loadModel } from './training/load-model.js';
import { type EvaluationText, type TextEvaluation, TextEvaluator } from './training/text-evaluator.js';

/** How to compute with a model. */
export interface LoadOptions {
  /** Threads of the engine. Default: one a core. */
  readonly threads?: number;
}

/** What may go on beside an evaluation. */
export interface EvaluateOptions {
  /** Stops it with an AbortError. */
  readonly signal?: AbortSignal;
  /** Called now and then with the tokens predicted so far. */
  readonly progress?: (tokens: number) => void;
}

/** A model in memory, ready to write and to be measured. {@link close} it to free the engine's memory. */
export class LanguageModel {
  readonly #loaded: LoadedModel;
  readonly #engine = new NodeEngine();
  readonly #threads: number;
  #generator: Generator | undefined;
  #evaluator: TextEvaluator | undefined;

  /** Use {@link load}. */
  private constructor(loaded: LoadedModel, threads: number) {
    this.#loaded = loaded;
    this.#threads = threads;
  }

  /** @internal */
  static async load(run: string, { threads = availableParallelism() }: LoadOptions): Promise<LanguageModel> {
    return new LanguageModel(await loadModel(run), threads);
  }

  /** Elements of all its parameters. */
  get parameters(): number {
    return this.#loaded.model.layout.size;
  }

  /** What should be known of its files: keys of its configuration and tensors that nothing here reads. */
  get notices(): readonly string[] {
    return this.#loaded.notices;
  }

  /** The longest sequence that it looks at, in tokens. */
  get context(): number {
    return this.#loaded.model.dimensions.context;
  }

  /**
   * Continues a text. One generation at a time: end it, or read it to its end, before the next.
   *
   * @returns pieces of text as they come; its `result()` has the figures
   * @throws UsageError for an option that is not allowed
   * @throws MeanfieldError for a prompt with characters that the model does not know
   *
   * @example
   * for await (const text of model.generate({ prompt: 'Once', maxTokens: 100 })) process.stdout.write(text);
   */
  generate(options: GenerateOptions = {}): Generation {
    this.#generator ??= new Generator(this.#work());
    return this.#generator.generate(options);
  }

  /**
   * Measures how well the model predicts the text of files, each on its own: every token but a file's first, from what
   * comes before it in its window of `context` tokens. The figures are those of all files together.
   *
   * @throws MeanfieldError for a file that cannot be read, has fewer than two tokens or holds characters that the model
   * does not know
   *
   * @example
   * const { loss, perplexity } = await model.evaluate(['chapter-1.txt', 'chapter-2.txt']);
   */
  evaluate(files: readonly string[], options: EvaluateOptions = {}): Promise<TextEvaluation> {
    this.#evaluator ??= new TextEvaluator(this.#work());
    return this.#evaluator.evaluate(textsOf(files), options);
  }

  /** Frees the engine's memory. The model cannot be used after that. */
  async close(): Promise<void> {
    await this.#generator?.dispose();
    await this.#evaluator?.dispose();
  }

  #work() {
    return { ...this.#loaded, engine: this.#engine, compile: { threads: this.#threads } };
  }
}

async function* textsOf(files: readonly string[]): AsyncGenerator<EvaluationText> {
  for (const name of files) {
    let text: Uint8Array;
    try {
      text = await readFile(name);
    } catch (error) {
      throw new MeanfieldError(`Cannot read ${name}: ${messageOf(error)}.`, { cause: error });
    }
    yield { name, text };
  }
}

/**
 * Loads the best model of a run, or a folder in Hugging Face's layout of one of the families `gpt2` and `llama`.
 *
 * @param run the run's folder, or the model's
 * @throws MeanfieldError when there is no model or a file of it is damaged
 *
 * @example
 * const model = await load('runs/book');
 * console.log(await model.generate({ prompt: 'Once' }).result());
 * await model.close();
 */
export function load(run: string, options: LoadOptions = {}): Promise<LanguageModel> {
  return LanguageModel.load(run, options);
}
