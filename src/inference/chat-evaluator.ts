import { setImmediate as othersTurn } from 'node:timers/promises';
import { MeanfieldError } from '../base/errors.js';
import { RowEncoder } from '../data/chat/encode-row.js';
import { batchesOf, readRows } from '../data/chat/read-rows.js';
import { ChatRenderer } from '../data/chat/renderer.js';
import { type ChatText, parseRow } from '../data/chat/row.js';
import type { TokenRow } from '../data/chat/row-file.js';
import { findTemplate } from '../data/chat/template.js';
import type { TableRow } from '../data/corpus/types.js';
import { Chat } from '../objectives/chat/chat.js';
import { Evaluator } from '../training/evaluation.js';
import type { TextEvaluatorOptions } from './text-evaluator.js';
import { mostWindows } from './text-windows.js';

/**
 * How well a model gives the answers in conversations.
 *
 * @category Using a model
 */
export interface ConversationEvaluation {
  /** Mean nats per token over those that are learned: the assistant's, and what ends its turns. */
  readonly loss: number;
  /** exp(`loss`). */
  readonly perplexity: number;
  /** The share of those tokens that the model held for the likeliest, 0 to 1. */
  readonly accuracy: number;
  /** How many of them there are. */
  readonly tokens: number;
  /** Rows that were read. */
  readonly rows: number;
  /** Of those: longer than the context, and cut at the end; passed over, as nothing in them is learned. */
  readonly cut: number;
  readonly nothing: number;
}

/** Rows that are rendered in one go. */
const AT_ONCE = 64;
/** Places of the shortest window. */
const SHORTEST = 16;

/** What a {@link ChatEvaluator} computes with. */
export interface ChatEvaluatorOptions extends TextEvaluatorOptions {
  /** The texts of the tokenizer's files, by name: the template is among them. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
}

/**
 * Measures how well a model gives the answers in conversations: the loss of training, each row by itself. Rows are
 * rendered by the model's template, or ChatML where it has none.
 */
export class ChatEvaluator {
  /** By the places of their windows. */
  readonly #evaluators = new Map<number, Evaluator<readonly TokenRow[]>>();

  constructor(private readonly options: ChatEvaluatorOptions) {}

  /**
   * Memory does not grow with the rows.
   *
   * @param progress called after each run with the tokens told so far
   * @throws MeanfieldError for a row that is none of the forms, with its file and line; when nothing is learned in any
   * row; when a figure is not finite
   * @throws UsageError for a model that sees the answers that it would have to give
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async evaluate(
    files: readonly string[],
    { signal, progress }: { signal?: AbortSignal | undefined; progress?: ((tokens: number) => void) | undefined } = {},
  ): Promise<ConversationEvaluation> {
    const { model, tokenizer, tokenizerFiles, parameters } = this.options;
    const { context } = model.dimensions;
    const template = findTemplate(tokenizerFiles);
    const renderer = new ChatRenderer(template);
    const encoder = new RowEncoder(tokenizer, template, renderer);
    const [sums, counts] = [
      { loss: 0, accuracy: 0, tokens: 0 },
      { rows: 0, cut: 0, nothing: 0 },
    ];
    /** Rows that wait for others of about their length. */
    const waiting = new Map<number, TokenRow[]>();
    const run = async (places: number, rows: readonly TokenRow[]) => {
      signal?.throwIfAborted();
      const samples = rows.map((row) => [row]);
      const { weight, sums: some } = await this.#evaluator(places).score(parameters, samples);
      sums.loss += some.loss!;
      sums.accuracy += some.accuracy!;
      sums.tokens += weight;
      progress?.(sums.tokens);
      await othersTurn();
    };
    try {
      for await (const batch of batchesOf(readRows({ paths: files, signal }), AT_ONCE)) {
        for (const [i, encoded] of (await encoder.encode(batch.map(learnedOf))).entries()) {
          counts.rows++;
          if ('fault' in encoded) throw unusable(batch[i]!.source, encoded.fault);
          this.#check(encoded.ids);
          const [ids, flags] = [encoded.ids.slice(0, context + 1), encoded.flags.slice(0, context + 1)];
          // Nothing comes before it that it could be told from.
          flags[0] = 0;
          if (encoded.ids.length > ids.length) counts.cut++;
          if (!flags.includes(1)) {
            counts.nothing++;
            continue;
          }
          const places = Math.min(context, Math.max(SHORTEST, 2 ** Math.ceil(Math.log2(ids.length - 1))));
          const rows = waiting.get(places) ?? [];
          waiting.set(places, rows);
          rows.push({ ids, flags });
          if (rows.length >= mostWindows(places)) await run(places, rows.splice(0));
        }
      }
      for (const [places, rows] of waiting) if (rows.length > 0) await run(places, rows);
    } finally {
      await renderer.close();
    }
    if (sums.tokens === 0)
      throw new MeanfieldError(
        `In none of the ${counts.rows} rows in ${files.join(', ')} is anything learned: no assistant turn, or none within ` +
          `the ${context} tokens that the model sees.${CHECK}`,
      );
    const loss = sums.loss / sums.tokens;
    const perplexity = Math.exp(loss);
    if (!Number.isFinite(perplexity))
      throw new MeanfieldError(
        `The model's loss on ${files.join(', ')} is ${loss}: its weights are not usable. Take an earlier checkpoint or ` +
          'another copy.',
      );
    return { loss, perplexity, accuracy: sums.accuracy / sums.tokens, tokens: sums.tokens, ...counts };
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    for (const evaluator of this.#evaluators.values()) await evaluator.dispose();
    this.#evaluators.clear();
  }

  #check(ids: Int32Array): void {
    const { vocabulary } = this.options.model.dimensions;
    const unknown = ids.find((id) => id >= vocabulary);
    if (unknown === undefined) return;
    throw new MeanfieldError(
      `The tokenizer gives id ${unknown}, but the model knows ${vocabulary} tokens: they do not belong together.`,
    );
  }

  #evaluator(places: number): Evaluator<readonly TokenRow[]> {
    const { model, engine, compile } = this.options;
    let evaluator = this.#evaluators.get(places);
    if (!evaluator) {
      // Several sessions are kept, and idle threads that spin would take the busy one's cores.
      const settings = { spinning: false, ...compile };
      evaluator = new Evaluator(new Chat(model, places), engine, mostWindows(places), settings);
      this.#evaluators.set(places, evaluator);
    }
    return evaluator;
  }
}

const CHECK = ' `meanfield data check` shows all rows that are wrong.';

const unusable = (source: string, fault: string) => new MeanfieldError(`${source}: ${fault}.${CHECK}`);

function learnedOf({ row, source }: TableRow): ChatText {
  const parsed = parseRow(row);
  if ('fault' in parsed) throw unusable(source, parsed.fault);
  return parsed.learned;
}
