import { availableParallelism } from 'node:os';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { Turns } from '../base/turns.js';
import { firstForm, holdsSources } from '../data/chat/first-row.js';
import { findTemplate } from '../data/chat/template.js';
import { corpusNotices, readDocuments } from '../data/index.js';
import type { Engine } from '../engine/engine.js';
import { createEngine } from '../engine/node/create.js';
import { type LoadedModel, loadModel, type MergeAdapter } from '../hub/load-model.js';
import { readAdapterFolder } from '../hub/model-folder.js';
import { adapterPlace } from '../hub/open-model.js';
import { adapterVector, readAdapter } from '../hub/peft.js';
import { isSameBase } from '../hub/same-base.js';
import { MEAN } from '../hub/sentence-folder.js';
import type { Model } from '../model/model.js';
import { mergeAdapter } from '../training/merge-adapter.js';
import { ChatEvaluator } from './chat-evaluator.js';
import { ConversationPrompts } from './conversation.js';
import { Embedder, type EmbedderOptions } from './embedder.js';
import { canHaveCodes, type EncoderCodes, encoderCodes } from './encoder-codes.js';
import { type GenerateOptions, type Generation, Generator } from './index.js';
import {
  checkEmbed,
  checkEvaluate,
  checkLoad,
  type EmbedOptions,
  type EvaluateOptions,
  type LoadOptions,
} from './options.js';
import type { WeightPrecision } from './precision.js';
import type { ConversationEvaluation } from './row-evaluator.js';
import { fusedSequences, fusingEngine, unknownPrecision } from './sequence-decoder.js';
import { SequenceTeller } from './sequence-teller.js';
import { SourceEvaluator } from './source-evaluator.js';
import { StreamedDecoder } from './streamed/decoder.js';
import type { Use } from './streamed/need.js';
import { StreamedScorer } from './streamed/scorer.js';
import { type Layers, settleUse } from './streamed/settle.js';
import { StreamedTeller } from './streamed/teller.js';
import { type Teller, type TextEvaluation, TextEvaluator, type TextEvaluatorOptions } from './text-evaluator.js';
import { type Weights, weightsBy } from './weights.js';

/**
 * A model in memory, ready to write and to be measured. {@link LanguageModel.close} it to free its memory.
 *
 * Any number of requests may be made at once: texts are written one after another, in the order in which they were
 * begun, and so are evaluations. Its work is done on the thread that asks, a token or so at a time.
 *
 * @category Using a model
 */
export class LanguageModel implements AsyncDisposable {
  /** None where the model tells masked tokens. */
  readonly #generator: Generator | undefined;
  readonly #architecture: string;
  #prompts: ConversationPrompts | undefined;
  readonly #work: TextEvaluatorOptions &
    EmbedderOptions &
    Pick<LoadedModel, 'tokenizerFiles'> & { readonly threads: number };
  /** Without the adapter that it may have, and what it was loaded by. */
  readonly #loaded: LoadedModel & { readonly name: string };
  /** Made when it is first asked for: not every model tells tokens. */
  #evaluator: TextEvaluator | undefined;
  #rowEvaluator: ChatEvaluator | SourceEvaluator | undefined;
  #embedder: Embedder | undefined;
  readonly #precision: WeightPrecision;
  /** In few bits: the model's vector is not in memory then. */
  readonly #weights: Weights | undefined;
  /** Of a model that is read layer by layer: its vector is not in memory then, either. */
  readonly #layers: Layers | undefined;
  readonly #evaluations = new Turns();
  readonly #closing = new AbortController();
  /** Elements of all its parameters. */
  readonly parameters: number;
  /** The longest sequence that it looks at, in tokens. */
  readonly context: number;
  /** What should be known of its files: keys of its configuration and tensors that nothing here reads. */
  readonly notices: readonly string[];

  /** @param adapted the loaded model with an adapter beside it, the vector of that, and what its folder says of texts */
  private constructor(
    loaded: LoadedModel & { readonly name: string },
    engine: Engine,
    threads: number,
    adapted?: AdaptedModel,
    fewer?: FewerBits,
    layers?: Layers,
  ) {
    const { model, adapter, texts, notices = [] } = { model: loaded.model, ...adapted };
    const { architecture } = model;
    this.#precision = fewer?.precision ?? 'fp32';
    this.#weights = fewer?.weights;
    this.#layers = layers;
    if (fewer) loaded = { ...loaded, parameters: new Float32Array(0) };
    const vectors = adapter ? { parameters: adapter, frozen: loaded.parameters } : { parameters: loaded.parameters };
    const { codes } = fewer ?? {};
    const work = { ...loaded, ...texts, ...vectors, codes, model, engine, threads, compile: { threads } };
    const parameters = this.#weights ?? (adapter ? model.views(adapter, loaded.parameters) : loaded.parameters);
    this.#architecture = architecture.name;
    const decoder = layers && new StreamedDecoder({ ...work, tensors: layers.tensors });
    this.#generator = architecture.sees === 'all' ? undefined : new Generator({ ...work, parameters, decoder });
    this.#work = { ...work, scorer: layers && new StreamedScorer({ ...work, ...layers }) };
    this.#loaded = loaded;
    this.parameters = loaded.model.layout.size;
    this.context = loaded.model.dimensions.context;
    this.notices = [...loaded.notices, ...notices];
  }

  /** @internal */
  static async load(run: string, options: LoadOptions, use: Use = {}): Promise<LanguageModel> {
    const { threads = availableParallelism(), device, precision, memory } = checkLoad(run, options);
    const engine = await createEngine(device);
    const merge: MergeAdapter = (...adapted) => mergeAdapter(engine, ...adapted);
    const { layers, notice } = await settleUse(run, { memory, precision, device }, merge, use);
    const told = (one: LoadedModel): LoadedModel & { readonly name: string } => ({
      ...one,
      ...{ name: run, notices: [...one.notices, ...(notice === undefined ? [] : [notice])] },
    });
    if (layers) {
      const loaded = told({ ...layers.loaded, parameters: new Float32Array(0) });
      return new LanguageModel(loaded, engine, threads, undefined, undefined, layers);
    }
    let fewer: FewerBits | undefined;
    const loaded = await loadModel(run, merge, undefined, async (opened) => {
      if (precision === 'fp32' || opened.model.architecture.sees === 'all') return opened.parameters();
      const fusing = fusingEngine(engine, opened.model, precision);
      fewer = { precision, weights: await weightsBy(fusing, threads, precision, opened) };
      return new Float32Array(0);
    });
    if (precision !== 'fp32' && !fewer) fewer = await encoderBits(engine, loaded, precision, threads);
    return new LanguageModel(told(loaded), engine, threads, undefined, fewer);
  }

  /** Bytes that each token which it writes is read for, where its layers come from its files; else 0. */
  get bytesPerToken(): number {
    return this.#layers?.passBytes ?? 0;
  }

  /** Whether it writes texts, where others read whole ones: they make vectors of them. */
  get writes(): boolean {
    return this.#generator !== undefined;
  }

  /** Whether it reads a source and writes what belongs to it, where others continue a text. */
  get readsSource(): boolean {
    return this.#work.model.architecture.encoder !== undefined;
  }

  /**
   * Continues a text; of an encoder-decoder, which {@link readsSource}, writes what belongs to it. Another may be asked for before this one ends: it waits for its turn.
   *
   * @returns pieces of text as they come; its `result()` has the figures
   * @throws UsageError for an option that is not allowed, or when the model does not write
   * @throws MeanfieldError for a prompt with characters that the model does not know, or when the model is closed
   *
   * @example
   * import { load } from 'meanfield';
   *
   * const model = await load('runs/book');
   * const story = model.generate({ prompt: 'Once', maxTokens: 100, stop: ['The End'] });
   * for await (const text of story) process.stdout.write(text);
   * console.log((await story.result()).stopped);
   */
  generate(options: GenerateOptions = {}): Generation {
    this.#checkOpen();
    if (!this.#generator)
      throw new UsageError(
        `A ${this.#architecture} model reads all of a text at once: it does not write. Measure it with eval where it tells ` +
          'masked tokens, or use it in Python: AutoModelForMaskedLM.from_pretrained(folder).',
      );
    return this.#generator.generate(options);
  }

  /**
   * Answers in a conversation, by the model's chat template, or ChatML where it has none; it stops at the end of the turn.
   *
   * @param messages the turns so far, each `{ role, content }`, of the roles system, user, assistant and tool
   * @param options as of {@link generate}, but for the prompt
   * @returns pieces of the answer as they come; its `result()` has the figures
   * @throws UsageError for messages or options that are not allowed, or that the template refuses
   * @throws MeanfieldError when the template cannot be used, or the model is closed
   *
   * @example
   * import { load } from 'meanfield';
   *
   * const model = await load('runs/helper');
   * const answer = await model.chat([{ role: 'user', content: 'What is 2 plus 3?' }], { temperature: 0 });
   * console.log((await answer.result()).text);
   */
  async chat(messages: readonly object[], options: Omit<GenerateOptions, 'prompt'> = {}): Promise<Generation> {
    this.#checkOpen();
    if (this.readsSource)
      throw new UsageError(
        `A ${this.#architecture} model reads a source and writes what belongs to it: it holds no conversation. Use generate.`,
      );
    this.#prompts ??= new ConversationPrompts(this.#work.tokenizerFiles, this.#work.tokenizer);
    const { prompt, stop } = await this.#prompts.prompt(messages);
    const stops = [options.stop ?? [], stop === '' ? [] : stop].flat();
    return this.generate({ ...options, prompt, stop: stops });
  }

  /**
   * Measures how well the model predicts the text of files and folders, read as `train` reads them: every token but a
   * document's first (a document is a text file, or a row of JSON or Parquet), from what comes before it in its window
   * of `context` tokens. A model of masked tokens has 15 % of each window masked, always the same ones, and predicts those.
   * The figures are those of all documents together. A character that a tokenizer of characters
   * does not know costs what {@link TextEvaluation.unseenCost} says.
   *
   * @throws MeanfieldError for a file that cannot be read, when there are fewer than two tokens in every document, or when
   * the model is closed
   *
   * @example
   * import { load } from 'meanfield';
   *
   * const model = await load('runs/book');
   * const { loss, perplexity } = await model.evaluate(['chapter-1.txt', 'chapter-2.txt']);
   * console.log(loss, perplexity);
   */
  async evaluate(files: readonly string[], options: EvaluateOptions = {}): Promise<TextEvaluation> {
    this.#checkOpen();
    checkFiles(files);
    const { field, stride, notice, signal, progress } = checkEvaluate(options);
    if (this.#work.codes) this.#requireSingle('Masked tokens are told');
    const closing = this.#closing.signal;
    const either = signal ? AbortSignal.any([signal, closing]) : closing;
    const end = await this.#evaluations.take(either);
    try {
      const documents = readDocuments({ paths: files, field, signal: either });
      this.#evaluator ??= new TextEvaluator({ ...this.#work, teller: this.#teller() });
      const result = await this.#evaluator.evaluate(documents, { stride, signal: either, progress });
      for (const message of corpusNotices(documents.statistics)) notice?.(message);
      for (const message of evaluationNotices(result)) notice?.(message);
      return result;
    } finally {
      end();
    }
  }

  /**
   * Measures how well the model gives the answers in files of conversations, of every form that `train` takes: the loss of
   * training, over the tokens that are learned, each row by itself and by the model's template. An encoder-decoder is
   * measured by rows of sources with targets.
   *
   * @returns undefined where the files hold no such rows, as their first row tells: {@link evaluate} takes those
   * @throws MeanfieldError for a row that is none of the forms, with its file and line; when nothing is learned in any row;
   * when the model is closed
   * @throws UsageError for a model that sees the answers that it would have to give, or is not in single precision
   *
   * @example
   * import { load } from 'meanfield';
   *
   * const model = await load('runs/helper');
   * console.log((await model.evaluateConversations(['held-out.jsonl']))?.perplexity);
   */
  async evaluateConversations(
    files: readonly string[],
    options: Omit<EvaluateOptions, 'field' | 'stride'> = {},
  ): Promise<ConversationEvaluation | undefined> {
    this.#checkOpen();
    checkFiles(files);
    const { notice, signal, progress } = checkEvaluate(options);
    const there = this.readsSource ? await holdsSources(files) : (await firstForm(files)) !== undefined;
    if (!there) return undefined;
    if (!this.#layers) this.#requireSingle('Rows of conversations are measured');
    const closing = this.#closing.signal;
    const either = signal ? AbortSignal.any([signal, closing]) : closing;
    const end = await this.#evaluations.take(either);
    try {
      this.#rowEvaluator ??= new (this.readsSource ? SourceEvaluator : ChatEvaluator)(this.#work);
      const result = await this.#rowEvaluator.evaluate(files, { signal: either, progress });
      const { rows, cut, nothing } = result;
      if (cut > 0)
        notice?.(`${cut} of ${rows} rows are longer than the context of ${this.context} tokens: they are cut.`);
      if (nothing > 0) notice?.(`${nothing} of ${rows} rows are passed over: nothing in them is learned.`);
      return result;
    } finally {
      end();
    }
  }

  /**
   * Turns texts into vectors, such that those of like meaning lie close, where the model was trained for that: as
   * `modules.json` of a sentence-transformers folder says, else by the mean of the last hidden states. Texts of like
   * length are run together; one that is longer than the model takes is cut at its end.
   *
   * @returns a vector for each text, in their order
   * @throws UsageError for what is no list of texts, or a model that writes and is not in single precision
   * @throws MeanfieldError for a text that has no token or holds what the tokenizer does not know, or when the model is
   * closed
   *
   * @example
   * import { load } from 'meanfield';
   *
   * const model = await load('all-MiniLM-L6-v2');
   * const vectors = await model.embed(['A cat sits on the mat.', 'There is a cat on the rug.']);
   * console.log(vectors.map((vector) => vector.slice(0, 3)));
   */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    this.#checkOpen();
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
      throw new UsageError("Cannot embed: expected a list of texts, such as ['A cat sits on the mat.'].");
    }
    const { signal, progress } = checkEmbed(options);
    if (this.#weights || this.#layers) this.#requireSingle('Vectors are made');
    const closing = this.#closing.signal;
    const either = signal ? AbortSignal.any([signal, closing]) : closing;
    const end = await this.#evaluations.take(either);
    try {
      this.#embedder ??= new Embedder(this.#work);
      return await this.#embedder.embed(texts, { signal: either, progress });
    } finally {
      end();
    }
  }

  /**
   * The same model with an adapter beside it: of PEFT's layout, or a run's. Its parameters are in memory once, for the model
   * without and with as many adapters as there are, which can be used in turn. {@link close} each. Where the adapter's
   * folder has a chat template or a `generation_config.json`, they are in the place of the model's. Where the adapter's
   * settings name another base, {@link notices} tell.
   *
   * @param adapter a folder, or `org/name` of the hub's cache
   * @returns another model; of a model with an adapter, the one with this adapter in its place
   * @throws MeanfieldError when there is no adapter, it is damaged, or another model's, or when the model is closed
   * @throws UsageError for a model that is not in single precision
   *
   * @example
   * import { load } from 'meanfield';
   *
   * const model = await load('models/SmolLM2-135M-Instruct');
   * const pirate = await model.withAdapter('runs/pirate');
   * const question = [{ role: 'user', content: 'Where is Lisbon?' }];
   * for (const one of [model, pirate]) console.log((await (await one.chat(question)).result()).text);
   */
  async withAdapter(adapter: string): Promise<LanguageModel> {
    this.#checkOpen();
    this.#requireSingle('An adapter stands beside a model');
    const { model: base, name, tokenizerFiles } = this.#loaded;
    const place = typeof adapter === 'string' ? await adapterPlace(adapter) : undefined;
    if (place === undefined)
      throw new MeanfieldError(
        `There is no adapter in ${JSON.stringify(adapter)}: expected a folder with adapter_config.json, or a run that ` +
          'trained one.',
      );
    const folder = await readAdapterFolder(place);
    await folder.close();
    const read = await readAdapter(place, base);
    if (read.tokenRows.length > 0)
      throw new MeanfieldError(
        `The adapter in ${place} has rows of tokens of its own, which the model in memory has others for, or none. Load the ` +
          'adapter by itself, with load: its base is found by its settings.',
      );
    if (read.untied)
      throw new MeanfieldError(
        `The adapter in ${place} has embedding and head apart, which are one matrix of the model in memory. Load the ` +
          'adapter by itself, with load: its base is found by its settings.',
      );
    this.#requireOwn(read.replaced, place);
    const model = base.withAdapter(read.layers.map(({ a: _a, b: _b, ...layer }) => layer));
    const { engine, threads } = this.#work;
    const { generationConfig } = folder;
    const texts = {
      tokenizerFiles: { ...tokenizerFiles, ...templateFiles(folder.tokenizerFiles) },
      ...(generationConfig && { generationConfig }),
    };
    const notices =
      read.base === undefined || (await isSameBase(read.base, name))
        ? []
        : [
            `The adapter in ${place} was trained beside ${read.base}, and stands beside ${name} here: their shapes are the ` +
              'same, but beside other values it says nothing.',
          ];
    return new LanguageModel(this.#loaded, engine, threads, {
      ...{ model, adapter: adapterVector(model, read), texts, notices },
    });
  }

  /**
   * Frees the model's memory. What it is asked after that fails, and what it is at work on or was still to begin, with
   * a MeanfieldError. To close it again does nothing.
   */
  async close(): Promise<void> {
    this.#closing.abort(closedError());
    await this.#prompts?.close();
    await this.#generator?.dispose();
    const end = await this.#evaluations.take();
    await this.#evaluator?.dispose();
    await this.#rowEvaluator?.dispose();
    await this.#embedder?.dispose();
    // Whichever evaluator there is disposes of it as well, and that does no harm.
    await this.#work.scorer?.dispose();
    await this.#layers?.tensors.close();
    end();
  }

  /** {@link close}, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The parameters are in memory once, so an adapter cannot bring others. */
  #requireOwn(replaced: Readonly<Record<string, Float32Array>>, place: string): void {
    const { model, parameters } = this.#loaded;
    const views = model.layout.views(parameters);
    for (const [name, values] of Object.entries(replaced))
      if (values.some((value, i) => value !== views[name]![i]))
        throw new MeanfieldError(
          `The adapter in ${place} has a ${name} of its own, and the model's has other values. Load the adapter by itself, ` +
            'with load: its base is found by its settings.',
        );
  }

  /** @throws UsageError where the vector of parameters is not in memory */
  #requireSingle(what: string): void {
    if (this.#layers)
      throw new UsageError(`${what} with the whole model in memory, and this one is read layer by layer. ${MORE}`);
    if (this.#precision !== 'fp32')
      throw new UsageError(
        `${what} in single precision, and this model was loaded in ${this.#precision}. Leave precision out.`,
      );
  }

  /** What tells tokens where the weights are in few bits, or in files. */
  #teller(): Teller | undefined {
    const { scorer, model } = this.#work;
    if (scorer) return new StreamedTeller(scorer, model, this.#work.tokenizer.standIn ?? 0);
    if (!this.#weights) return undefined;
    const { tokenizer } = this.#work;
    return new SequenceTeller(fusedSequences({ ...this.#work, weights: this.#weights }), tokenizer.standIn ?? 0);
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw closedError();
  }
}

const MORE = 'Give it more memory, or leave memory out where the whole fits.';

/** What stands in the place of a model's vector of parameters. */
interface FewerBits {
  readonly precision: 'int8' | 'int4';
  /** Of a model that writes. */
  readonly weights?: Weights;
  /** Of one that makes vectors. */
  readonly codes?: EncoderCodes;
}

/** @throws UsageError where there is no such precision for the model */
async function encoderBits(
  engine: Engine,
  { model, parameters, sentence = MEAN }: LoadedModel,
  precision: 'int8' | 'int4',
  threads: number,
): Promise<FewerBits> {
  if (precision === 'int8' && (await canHaveCodes(engine, model, sentence)))
    return { precision, codes: await encoderCodes(engine, model, model.layout.views(parameters), { threads }) };
  throw unknownPrecision(engine, model, precision);
}

/** A model with an adapter beside it. */
interface AdaptedModel {
  readonly model: Model;
  readonly adapter: Float32Array;
  /** What its folder says of texts in the place of the model's. */
  readonly texts: Pick<LoadedModel, 'generationConfig' | 'tokenizerFiles'>;
  readonly notices: readonly string[];
}

/** Of an adapter's files those that have its chat template, where it has one. */
function templateFiles(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (!findTemplate(files).own) return {};
  const names = ['chat_template.jinja', 'tokenizer_config.json'];
  return Object.fromEntries(names.flatMap((name) => (files[name] === undefined ? [] : [[name, files[name]]])));
}

function checkFiles(files: readonly string[]): void {
  if (!Array.isArray(files) || !files.every((file) => typeof file === 'string'))
    throw new UsageError("Cannot evaluate: expected a list of files and folders, such as ['chapter-1.txt'].");
}

function closedError(): MeanfieldError {
  return new MeanfieldError('The model is closed. Load it again to go on.');
}

function* evaluationNotices({ unseen, unseenCost, tokens, tooShort }: TextEvaluation): Iterable<string> {
  if (unseen > 0 && unseenCost === 0) {
    yield `${unseen} characters are not in this model's vocabulary: it is not asked for them, but reads another in their place.`;
  } else if (unseen > 0) {
    yield `${unseen} of ${tokens} characters are not in this model's vocabulary: each costs ${unseenCost.toFixed(2)} nats ` +
      `(any of the other characters of Unicode), ${((unseen * unseenCost) / tokens).toFixed(4)} of the loss in all.`;
  }
  if (tooShort > 0) {
    yield `Passed over ${tooShort === 1 ? '1 text' : `${tooShort} texts`} of a single token, in which nothing is predicted.`;
  }
}
