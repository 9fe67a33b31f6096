import { MeanfieldError, UsageError } from '../base/errors.js';
import { othersTurn } from '../base/others-turn.js';
import { spelledError } from '../base/spelling.js';
import { type DocumentPiece, encodeDocuments, type Tokenizer, type TokenWindow } from '../data/index.js';
import type { Engine, SessionOptions } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import { createObjective, objectiveOf, type TextObjectiveConfig, windowTokens } from '../objectives/create.js';
import { Evaluator } from '../training/evaluation.js';
import type { StreamedScorer } from './streamed/scorer.js';
import { mostWindows, type WindowRun, windowsOfAll, windowsOfNext } from './text-windows.js';

/**
 * How well a model predicts texts.
 *
 * @category Using a model
 */
export interface TextEvaluation {
  /** Mean nats per token, over the tokens predicted: all but each text's first, or those that were masked. */
  readonly loss: number;
  /** exp(`loss`). */
  readonly perplexity: number;
  /**
   * The loss of all tokens over all bytes, in bits: comparable between tokenizers. A model of masked tokens has none: it
   * gives no text a probability.
   */
  readonly bitsPerByte?: number;
  /** The share of tokens that the model held for the likeliest, 0 to 1. */
  readonly accuracy: number;
  /** Tokens predicted. */
  readonly tokens: number;
  /** Bytes of the texts. */
  readonly bytes: number;
  /** How many characters of the texts the tokenizer (`chars`) does not know. */
  readonly unseen: number;
  /** What each of those costs within `loss`, in nats; see {@link unseenCost}. 0 where it is never asked for. */
  readonly unseenCost: number;
  /** Texts of a single token, which were passed over because nothing can be predicted in them. */
  readonly tooShort: number;
}

/** What a {@link TextEvaluator} computes with. */
export interface TextEvaluatorOptions {
  readonly model: Model;
  /** The vector that the model's `trained` describes: all parameters, or those of its adapter. Not copied. */
  readonly parameters: Float32Array;
  /** With an adapter, the vector that its `frozen` describes. Not copied. */
  readonly frozen?: Float32Array | undefined;
  readonly tokenizer: Tokenizer;
  readonly engine: Engine;
  readonly compile?: SessionOptions;
  /** What tells tokens in place of the parameters, for a model that tells the next ones. */
  readonly teller?: Teller | undefined;
  /** What scores rows in place of the parameters, layer by layer. */
  readonly scorer?: StreamedScorer | undefined;
}

/** What may go on beside an evaluation, and how its windows follow each other. */
export interface EvaluationOptions {
  readonly stride?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((tokens: number) => void) | undefined;
}

/** Tells the tokens of windows, each from those before it in its window; those known, and those below 0, are not asked for. */
export interface Teller {
  /** Tokens that are best asked for together; one run at a time where there are fewer in it. */
  readonly atOnce: number;
  /** What a figure that is not finite comes of, and what to do, for a message. */
  readonly unusable: string;
  /**
   * @param signal stops it between two layers, where it goes through them by themselves
   * @returns of all windows together the tokens that were asked for, their nats, and how many were held for the likeliest
   */
  tell(runs: readonly WindowRun[], signal?: AbortSignal): Promise<WindowScore>;
  dispose(): Promise<void>;
}

export interface WindowScore {
  readonly weight: number;
  readonly sums: Readonly<Record<string, number>>;
}

/** Code points that a text can hold: all but the surrogates. */
const CODE_POINTS = 0x110000 - 0x800;

/**
 * What it costs to predict a character that a tokenizer of characters does not know, in nats: that it is one of all
 * those, each as likely as any other. That the character is unknown is not charged.
 */
export function unseenCost(vocabularySize: number): number {
  return Math.log(CODE_POINTS - vocabularySize);
}

/** Which tokens are masked is the same in every evaluation. */
const SEED = 0;

/**
 * Measures how well a model predicts texts: the next token, or masked ones, whichever it was made for. No special token
 * is added.
 *
 * For the next token, a text is cut into consecutive windows of as many input tokens as the context, so each token but
 * the first is predicted exactly once, from what its window holds before it. For a text of one window the loss is Hugging
 * Face's `model(ids, labels=ids).loss`. Windows may overlap, so that each token has more before it (its `stride`).
 *
 * Of masked tokens, 15 % of each window are to be told, always the same ones. What is left at a text's end makes shorter
 * windows, see {@link windowsOfAll}.
 */
export class TextEvaluator {
  readonly #options: TextEvaluatorOptions;
  readonly #objective: TextObjectiveConfig;
  /** By the length of their windows. */
  readonly #evaluators = new Map<number, Evaluator<TokenWindow>>();

  /** @throws UsageError when the model tells masked tokens, and the tokenizer has no mask */
  constructor(options: TextEvaluatorOptions) {
    this.#options = options;
    this.#objective = objectiveOf(options.model, options.tokenizer);
  }

  /**
   * Memory does not grow with a text.
   *
   * @param pieces the texts in one or more pieces each, as `readDocuments` gives them
   * @param stride tokens from one window to the next, at most the context, which is the default
   * @param signal stops between two runs of the graph
   * @param progress called after each run with the tokens predicted so far
   * @throws EncodeError, with the text's name, for a text that the tokenizer cannot express
   * @throws UsageError for a stride above the context, or of a model that tells masked tokens
   * @throws MeanfieldError when no text has two tokens, and when a figure is not finite
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async evaluate(
    pieces: Iterable<DocumentPiece> | AsyncIterable<DocumentPiece>,
    { stride, signal, progress }: EvaluationOptions = {},
  ): Promise<TextEvaluation> {
    const { tokenizer, model } = this.#options;
    const next = this.#objective.name === 'causal';
    const context = windowTokens(this.#objective, model.dimensions.context);
    if (stride !== undefined) checkStride(stride, next, context);
    const cut = next ? windowsOfNext : windowsOfAll;
    const cost = next ? unseenCost(tokenizer.vocabularySize) : 0;
    let [nats, right, tokens, bytes, unseen, tooShort, number] = [0, 0, 0, 0, 0, 0, 0];
    let shortest: { source: string; ids: number } | undefined;
    /** Of the text that is being read: its bytes, whether runs of it are done, and the ids from the last one on. */
    let text = { bytes: 0, begun: false, ids: new Int32Array(0) };
    /** Runs that wait for others, the texts of the first, and the tokens of all. */
    let waiting = { runs: [] as WindowRun[], source: '', tokens: 0 };
    const flush = async () => {
      const { runs, source } = waiting;
      if (runs.length === 0) return;
      waiting = { runs: [], source: '', tokens: 0 };
      signal?.throwIfAborted();
      const { weight, sums } = await this.#score(runs, number, signal);
      const windows = runs.flatMap((run) => run.windows);
      number += windows.length;
      if (!Number.isFinite(sums.loss)) throw this.#unusable(source, sums.loss!);
      const unknown = windows.reduce((sum, { ids, known }) => sum + unknownIn(next ? ids.subarray(1 + known) : ids), 0);
      nats += sums.loss! + unknown * cost;
      right += sums.accuracy!;
      tokens += weight + (next ? unknown : 0);
      unseen += unknown;
      progress?.(tokens);
      await othersTurn();
    };
    for await (const piece of encodeDocuments(tokenizer, pieces)) {
      signal?.throwIfAborted();
      this.#check(piece.ids);
      text.bytes += piece.bytes;
      text.ids = joined(text.ids, piece.ids);
      const { runs, from } = cut({ ...text, end: piece.end }, context, stride);
      for (const run of runs) {
        waiting.runs.push(run);
        waiting.source ||= piece.source;
        waiting.tokens += run.length * run.windows.length;
        text.begun = true;
        if (waiting.tokens >= (this.#options.teller?.atOnce ?? 0)) await flush();
      }
      if (!piece.end) {
        text.ids = text.ids.slice(from);
        continue;
      }
      if (text.begun) {
        bytes += text.bytes;
      } else {
        tooShort++;
        shortest ??= { source: piece.source, ids: text.ids.length };
      }
      text = { bytes: 0, begun: false, ids: new Int32Array(0) };
    }
    await flush();
    if (tokens === 0) {
      if (shortest === undefined) throw new MeanfieldError('There is no text to evaluate: give at least one file.');
      throw new MeanfieldError(
        `${shortest.source} has ${shortest.ids} tokens. A text needs at least two: one is predicted from the other.`,
      );
    }
    const loss = nats / tokens;
    const perplexity = Math.exp(loss);
    if (!Number.isFinite(perplexity)) {
      throw new MeanfieldError(
        `The loss is ${loss.toFixed(0)} nats per token, whose perplexity is beyond every number: the model knows less ` +
          'than nothing. Its weights are not usable, or belong to another configuration or tokenizer.',
      );
    }
    const accuracy = right / tokens;
    const figures = { loss, perplexity, accuracy, tokens, bytes, unseen, unseenCost: cost, tooShort };
    return next ? { ...figures, bitsPerByte: nats / Math.LN2 / bytes } : figures;
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    for (const evaluator of this.#evaluators.values()) await evaluator.dispose();
    this.#evaluators.clear();
    await this.#options.teller?.dispose();
  }

  /** @param runs one, unless a teller takes more */
  #score(runs: readonly WindowRun[], from: number, signal?: AbortSignal): Promise<WindowScore> {
    const { parameters, teller } = this.#options;
    if (teller) return teller.tell(runs, signal);
    const { length, windows } = runs[0]!;
    const samples = windows.map((window, i): TokenWindow => ({ ...window, number: ['evaluation', from + i] }));
    return this.#evaluator(length).score(parameters, samples);
  }

  #unusable(name: string, nats: number): MeanfieldError {
    const { teller } = this.#options;
    if (teller) return new MeanfieldError(`The model's loss on ${name} is ${nats}. ${teller.unusable}`);
    const { model, parameters, frozen = new Float32Array(0) } = this.#options;
    const wrong = Object.entries(model.views(parameters, frozen)).find(([, values]) => !values.every(Number.isFinite));
    const why = wrong === undefined ? 'Its weights are finite and too large' : `${wrong[0]} holds NaN or infinity`;
    return new MeanfieldError(
      `The model's loss on ${name} is ${nats}. ${why}: the weights are not usable. Take an earlier checkpoint or another copy.`,
    );
  }

  #check(ids: Int32Array): void {
    const { vocabulary } = this.#options.model.dimensions;
    const unknown = ids.find((id) => id >= vocabulary);
    if (unknown === undefined) return;
    throw new MeanfieldError(
      `The tokenizer gives id ${unknown}, but the model knows ${vocabulary} tokens: they do not belong together.`,
    );
  }

  #evaluator(length: number): Evaluator<TokenWindow> {
    const { model, tokenizer, engine, compile, frozen } = this.#options;
    let evaluator = this.#evaluators.get(length);
    if (!evaluator) {
      const { standIn } = tokenizer;
      const objective = createObjective(this.#objective, { model, context: length, seed: SEED, standIn });
      // Several sessions are kept, and idle threads that spin would take the busy one's cores.
      evaluator = new Evaluator(objective, engine, mostWindows(length), { spinning: false, ...compile }, frozen);
      this.#evaluators.set(length, evaluator);
    }
    return evaluator;
  }
}

function checkStride(stride: number, next: boolean, context: number): void {
  if (next && stride <= context) return;
  throw spelledError(UsageError, ({ option }) =>
    next
      ? `${option('stride')} is ${stride}, and the model's context ${context}: tokens between its windows would not be told. ` +
        `Take 1 to ${context}.`
      : `${option('stride')} is of models that tell the next token: this one tells masked tokens, by all around them. Leave it out.`,
  );
}

function unknownIn(ids: Int32Array): number {
  return ids.reduce((sum, id) => sum + (id < 0 ? 1 : 0), 0);
}

function joined(a: Int32Array, b: Int32Array): Int32Array<ArrayBuffer> {
  const all = new Int32Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
