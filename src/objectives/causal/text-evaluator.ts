import { setImmediate as othersTurn } from 'node:timers/promises';
import { MeanfieldError } from '../../base/errors.js';
import { type DocumentPiece, encodeDocuments, type Tokenizer } from '../../data/index.js';
import type { CompileOptions, Engine, HostArrays, Session } from '../../engine/engine.js';
import type { Model } from '../../model/model.js';
import { type MicroBatch, traceTokenLosses } from './text-program.js';
import { fillTokens } from './tokens.js';

/**
 * How well a model predicts texts.
 *
 * @category Using a model
 */
export interface TextEvaluation {
  /** Mean nats per token, over the tokens predicted. */
  readonly loss: number;
  /** exp(`loss`). */
  readonly perplexity: number;
  /** The loss of all tokens over all bytes, in bits: comparable between tokenizers. */
  readonly bitsPerByte: number;
  /** The share of tokens that the model held for the likeliest, 0 to 1. */
  readonly accuracy: number;
  /** Tokens predicted: all but each text's first. */
  readonly tokens: number;
  /** Bytes of the texts. */
  readonly bytes: number;
  /** How many of the tokens are characters that the tokenizer (`chars`) does not know. */
  readonly unseen: number;
  /** What each of those costs within `loss`, in nats; see {@link unseenCost}. */
  readonly unseenCost: number;
  /** Texts of a single token, which were passed over because nothing can be predicted in them. */
  readonly tooShort: number;
}

/** What a {@link TextEvaluator} computes with. */
export interface TextEvaluatorOptions {
  readonly model: Model;
  /** The model's vector, as its layout describes it. Not copied. */
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  readonly engine: Engine;
  readonly compile?: CompileOptions;
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

/** Tokens of one run of the graph, about: enough for its products to run well. */
const RUN_TOKENS = 1024;

/**
 * Measures how well a model predicts texts. No special token is added. A text is cut into consecutive windows of as
 * many input tokens as the context, so each token but the first is predicted exactly once, from what its window holds
 * before it. For a text of one window the loss is Hugging Face's `model(ids, labels=ids).loss`.
 */
export class TextEvaluator {
  readonly #options: TextEvaluatorOptions;
  readonly #parameters: HostArrays;
  readonly #sessions = new Map<string, Session>();

  constructor(options: TextEvaluatorOptions) {
    this.#options = options;
    this.#parameters = options.model.layout.views(options.parameters);
  }

  /**
   * Memory does not grow with a text.
   *
   * @param pieces the texts in one or more pieces each, as `readDocuments` gives them
   * @param signal stops between two runs of the graph
   * @param progress called after each run with the tokens predicted so far
   * @throws EncodeError, with the text's name, for a text that the tokenizer cannot express
   * @throws MeanfieldError when no text has two tokens, and when a figure is not finite
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async evaluate(
    pieces: Iterable<DocumentPiece> | AsyncIterable<DocumentPiece>,
    { signal, progress }: { signal?: AbortSignal | undefined; progress?: ((tokens: number) => void) | undefined } = {},
  ): Promise<TextEvaluation> {
    const { tokenizer, model } = this.#options;
    const cost = unseenCost(tokenizer.vocabularySize);
    const group = this.#mostWindows() * model.dimensions.context;
    let [nats, right, tokens, bytes, unseen, tooShort] = [0, 0, 0, 0, 0, 0];
    let shortest: { source: string; ids: number } | undefined;
    /** Of the text that is being read: its bytes, whether runs of it are done, and the ids from the last one on. */
    let text = { bytes: 0, begun: false, ids: new Int32Array(0) };
    for await (const piece of encodeDocuments(tokenizer, pieces)) {
      signal?.throwIfAborted();
      this.#check(piece.ids);
      text.bytes += piece.bytes;
      text.ids = joined(text.ids, piece.ids);
      const ready = piece.end ? text.ids.length : Math.floor((text.ids.length - 1) / group) * group + 1;
      for await (const run of this.#runs(text.ids.subarray(0, ready), text.begun, signal)) {
        if (!Number.isFinite(run.nats)) throw this.#unusable(piece.source, run.nats);
        nats += run.nats + run.unseen * cost;
        right += run.right;
        tokens += run.tokens;
        unseen += run.unseen;
        text.begun = true;
        progress?.(tokens);
      }
      if (!piece.end) {
        text.ids = text.ids.slice(Math.max(0, ready - 1));
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
    if (tokens === 0) {
      if (shortest === undefined) throw new MeanfieldError('There is no text to evaluate: give at least one file.');
      throw new MeanfieldError(
        `${shortest.source} has ${shortest.ids} tokens. A text needs at least two: the second is predicted from the first.`,
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
    const bitsPerByte = nats / Math.LN2 / bytes;
    const figures = { loss, perplexity, bitsPerByte, accuracy: right / tokens, tokens, bytes };
    return { ...figures, unseen, unseenCost: cost, tooShort };
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    for (const session of this.#sessions.values()) await session.dispose();
    this.#sessions.clear();
  }

  #unusable(name: string, nats: number): MeanfieldError {
    const { model, parameters } = this.#options;
    const wrong = model.layout.entries.find(({ offset, size }) =>
      parameters.subarray(offset, offset + size).some((value) => !Number.isFinite(value)),
    );
    const why = wrong === undefined ? 'Its weights are finite and too large' : `${wrong.name} holds NaN or infinity`;
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

  /** Windows of `context` tokens in one run of the graph. */
  #mostWindows(length = this.#options.model.dimensions.context): number {
    return Math.max(1, Math.floor(RUN_TOKENS / length));
  }

  /**
   * One run of the graph after another, over all windows of a text, or of a part of it that begins with a window.
   *
   * @param begun whether that is not the first part
   */
  async *#runs(ids: Int32Array, begun: boolean, signal: AbortSignal | undefined) {
    const { context } = this.#options.model.dimensions;
    const predicted = ids.length - 1;
    if (predicted < 1) return;
    // Filling behind a window's last token changes nothing before it, so few sizes of graph serve all texts.
    const length = begun ? context : Math.min(context, 2 ** Math.ceil(Math.log2(predicted)));
    const windows = Math.ceil(predicted / length);
    const most = this.#mostWindows(length);
    for (let first = 0; first < windows; first += most) {
      signal?.throwIfAborted();
      const batch = Math.min(most, windows - first);
      const start = first * length;
      yield await this.#run(ids.subarray(start, start + batch * length + 1), { batch, length });
      await othersTurn();
    }
  }

  /** @param ids of `batch` consecutive windows and the token after them; the last window may be short */
  async #run(ids: Int32Array, { batch, length }: MicroBatch) {
    const { standIn = 0 } = this.#options.tokenizer;
    const rows = Array.from({ length: batch }, (_, b) => {
      const row = new Int32Array(length + 1);
      row.set(ids.subarray(b * length, (b + 1) * length + 1));
      return row.map((id) => (id === -1 ? standIn : id));
    });
    const given = new BigInt64Array(batch * length);
    const targets = new BigInt64Array(batch * length);
    fillTokens(rows, length, given, targets);
    const session = await this.#session({ batch, length });
    const outputs = await session.run({ ...this.#parameters, ids: given, targets });
    const tokens = ids.length - 1;
    let [nats, right, unseen] = [0, 0, 0];
    for (let i = 0; i < tokens; i++) {
      if (ids[i + 1] === -1) {
        unseen++;
        continue;
      }
      const at = (i % length) * batch + Math.floor(i / length);
      nats += outputs.losses![at] as number;
      if (outputs.predictions![at] === ids[i + 1]) right++;
    }
    return { nats, right, tokens, unseen };
  }

  async #session(size: MicroBatch): Promise<Session> {
    const { model, engine, compile } = this.#options;
    const key = `${size.batch} ${size.length}`;
    let session = this.#sessions.get(key);
    if (!session) {
      const program = traceTokenLosses(model, size, engine.target);
      // Several sessions are kept, and idle threads that spin would take the busy one's cores.
      session = await engine.compile(program, { spinning: false, ...compile });
      this.#sessions.set(key, session);
    }
    return session;
  }
}

function joined(a: Int32Array, b: Int32Array): Int32Array<ArrayBuffer> {
  const all = new Int32Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
