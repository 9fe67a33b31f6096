import { setImmediate as othersTurn } from 'node:timers/promises';
import { MeanfieldError } from '../base/errors.js';
import { EncodeError, type Tokenizer } from '../data/index.js';
import type { CompileOptions, Engine, HostArrays, Session } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import type { MicroBatch } from './step-program.js';
import { traceTokenLosses } from './text-program.js';
import { fillTokens } from './tokens.js';

/** A text to be predicted. */
export interface EvaluationText {
  /** What to call it in errors. */
  readonly name: string;
  readonly text: string | Uint8Array;
}

/** How well a model predicts texts. */
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
   * @param signal stops between two runs of the graph
   * @param progress called after each run with the tokens predicted so far
   * @throws EncodeError, with the text's name, for a text that the tokenizer cannot express
   * @throws MeanfieldError for a text of fewer than two tokens, and when a figure is not finite
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async evaluate(
    texts: Iterable<EvaluationText> | AsyncIterable<EvaluationText>,
    { signal, progress }: { signal?: AbortSignal; progress?: (tokens: number) => void } = {},
  ): Promise<TextEvaluation> {
    let [nats, right, tokens, bytes] = [0, 0, 0, 0];
    for await (const { name, text } of texts) {
      bytes += typeof text === 'string' ? Buffer.byteLength(text) : text.length;
      const ids = this.#encode(name, text);
      for await (const run of this.#runs(ids, signal)) {
        if (!Number.isFinite(run.nats)) throw this.#unusable(name, run.nats);
        nats += run.nats;
        right += run.right;
        tokens += run.tokens;
        progress?.(tokens);
      }
    }
    if (tokens === 0) throw new MeanfieldError('There is no text to evaluate: give at least one file.');
    const loss = nats / tokens;
    const perplexity = Math.exp(loss);
    if (!Number.isFinite(perplexity)) {
      throw new MeanfieldError(
        `The loss is ${loss.toFixed(0)} nats per token, whose perplexity is beyond every number: the model knows less ` +
          'than nothing. Its weights are not usable, or belong to another configuration or tokenizer.',
      );
    }
    return { loss, perplexity, bitsPerByte: nats / Math.LN2 / bytes, accuracy: right / tokens, tokens, bytes };
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

  #encode(name: string, text: string | Uint8Array): Int32Array {
    const { tokenizer, model } = this.#options;
    const { vocabulary } = model.dimensions;
    let ids: Uint32Array;
    try {
      ids = tokenizer.encode(text);
    } catch (error) {
      throw error instanceof EncodeError ? new EncodeError(error.reason, error.offset, name) : error;
    }
    if (ids.length < 2) {
      throw new MeanfieldError(
        `${name} has ${ids.length} tokens. A text needs at least two: the second is predicted from the first.`,
      );
    }
    const unknown = ids.find((id) => id >= vocabulary);
    if (unknown !== undefined) {
      throw new MeanfieldError(
        `The tokenizer gives id ${unknown}, but the model knows ${vocabulary} tokens: they do not belong together.`,
      );
    }
    return Int32Array.from(ids);
  }

  /** One run of the graph after another, over all windows of a text. */
  async *#runs(ids: Int32Array, signal?: AbortSignal) {
    const { context } = this.#options.model.dimensions;
    const predicted = ids.length - 1;
    // Filling behind a window's last token changes nothing before it, so few sizes of graph serve all texts.
    const length = Math.min(context, 2 ** Math.ceil(Math.log2(predicted)));
    const windows = Math.ceil(predicted / length);
    const most = Math.max(1, Math.floor(RUN_TOKENS / length));
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
    const rows = new Int32Array(batch * (length + 1));
    for (let b = 0; b < batch; b++) rows.set(ids.subarray(b * length, (b + 1) * length + 1), b * (length + 1));
    const given = new BigInt64Array(batch * length);
    const targets = new BigInt64Array(batch * length);
    fillTokens(rows, { batch, length }, given, targets);
    const session = await this.#session({ batch, length });
    const outputs = await session.run({ ...this.#parameters, ids: given, targets });
    const tokens = ids.length - 1;
    let [nats, right] = [0, 0];
    for (let i = 0; i < tokens; i++) {
      const at = (i % length) * batch + Math.floor(i / length);
      nats += outputs.losses![at] as number;
      if (outputs.predictions![at] === ids[i + 1]) right++;
    }
    return { nats, right, tokens };
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
