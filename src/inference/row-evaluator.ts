import { MeanfieldError } from '../base/errors.js';
import { othersTurn } from '../base/others-turn.js';
import { batchesOf, readRows } from '../data/chat/read-rows.js';
import type { ChatRow, ChatText } from '../data/chat/row.js';
import type { TokenRow } from '../data/chat/row-file.js';
import type { Objective, Score } from '../objectives/objective.js';
import { Evaluator } from '../training/evaluation.js';
import type { TextEvaluatorOptions } from './text-evaluator.js';
import { mostWindows } from './text-windows.js';

/**
 * How well a model gives the answers in conversations, or the targets of sources.
 *
 * @category Using a model
 */
export interface ConversationEvaluation {
  /** What was measured: of an encoder-decoder `seq2seq`. */
  readonly objective: 'chat' | 'seq2seq';
  /** Mean nats per token over those that are learned: the assistant's, and what ends its turns; or a target's, and its end. */
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

/** Rows that are turned into tokens in one go. */
const AT_ONCE = 64;
/** Places of the shortest window. */
const SHORTEST = 16;

/** Tokens of rows of about one length: places of each of their parts. */
export type RowRoom = readonly number[];

/** What turns rows into tokens, while files are read. */
export interface RowReader {
  encode(rows: readonly ChatText[]): Promise<readonly (TokenRow | { readonly fault: string })[]>;
  close?(): Promise<void>;
}

/** Measures how well a model tells what is learned of rows: the loss of training, each row by itself. */
export abstract class RowEvaluator<Sample> {
  /** By the room of their rows. */
  readonly #evaluators = new Map<string, Evaluator<Sample>>();
  readonly #objectives = new Map<string, Objective<Sample>>();

  constructor(protected readonly options: TextEvaluatorOptions) {}

  protected abstract readonly objective: ConversationEvaluation['objective'];
  /** Why nothing is learned of any row, for a message. */
  protected abstract readonly nothing: string;
  protected abstract parse(row: unknown): ChatRow | { readonly fault: string };
  protected abstract open(): RowReader;
  /** @returns what the model sees of a row; undefined where nothing of it is learned */
  protected abstract fit(row: TokenRow): { readonly row: TokenRow; readonly cut: boolean } | undefined;
  /** Tokens of a row's parts. */
  protected abstract partsOf(row: TokenRow): readonly number[];
  protected abstract sampleOf(row: TokenRow): Sample;
  protected abstract learned(room: RowRoom): Objective<Sample>;

  /**
   * Memory does not grow with the rows.
   *
   * @param progress called after each run with the tokens told so far
   * @throws MeanfieldError for a row that is none of the forms, with its file and line; when nothing is learned in any
   * row; when a figure is not finite
   * @throws UsageError for a model that cannot learn such rows
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async evaluate(
    files: readonly string[],
    { signal, progress }: { signal?: AbortSignal | undefined; progress?: ((tokens: number) => void) | undefined } = {},
  ): Promise<ConversationEvaluation> {
    const { context } = this.options.model.dimensions;
    const reader = this.open();
    const [sums, counts] = [
      { loss: 0, accuracy: 0, tokens: 0 },
      { rows: 0, cut: 0, nothing: 0 },
    ];
    /** Rows that wait for others of about their length. */
    const waiting = new Map<string, { readonly room: RowRoom; rows: TokenRow[] }>();
    /** What waits until so much is there that it is worth the reading of a model's layers. */
    let gathered: { readonly room: RowRoom; readonly samples: readonly Sample[] }[] = [];
    const flush = async () => {
      if (gathered.length === 0) return;
      signal?.throwIfAborted();
      for (const { weight, sums: some } of await this.#score(gathered, signal)) {
        sums.loss += some.loss!;
        sums.accuracy += some.accuracy!;
        sums.tokens += weight;
      }
      gathered = [];
      progress?.(sums.tokens);
      await othersTurn();
    };
    const run = async (room: RowRoom, rows: readonly TokenRow[]) => {
      gathered.push({ room, samples: rows.map((row) => this.sampleOf(row)) });
      const places = gathered.reduce((sum, { room, samples }) => sum + placesOf(room) * samples.length, 0);
      if (places >= (this.options.scorer?.atOnce ?? 0)) await flush();
    };
    const textOf = ({ row, source }: { readonly row: unknown; readonly source: string }): ChatText => {
      const parsed = this.parse(row);
      if ('fault' in parsed) throw unusable(source, parsed.fault);
      return parsed.learned;
    };
    try {
      for await (const batch of batchesOf(readRows({ paths: files, signal }), AT_ONCE)) {
        for (const [i, encoded] of (await reader.encode(batch.map(textOf))).entries()) {
          counts.rows++;
          if ('fault' in encoded) throw unusable(batch[i]!.source, encoded.fault);
          this.#check(encoded.ids);
          const fitted = this.fit(encoded);
          if (fitted === undefined) {
            counts.nothing++;
            continue;
          }
          if (fitted.cut) counts.cut++;
          const room = this.partsOf(fitted.row).map((size) =>
            Math.min(context, Math.max(SHORTEST, 2 ** Math.ceil(Math.log2(size)))),
          );
          const same = waiting.get(`${room}`) ?? { room, rows: [] };
          waiting.set(`${room}`, same);
          same.rows.push(fitted.row);
          if (same.rows.length >= batchOf(room)) await run(room, same.rows.splice(0));
        }
      }
      for (const { room, rows } of waiting.values()) if (rows.length > 0) await run(room, rows);
      await flush();
    } finally {
      await reader.close?.();
    }
    if (sums.tokens === 0)
      throw new MeanfieldError(
        `In none of the ${counts.rows} rows in ${files.join(', ')} is anything learned: ${this.nothing}.${CHECK}`,
      );
    const loss = sums.loss / sums.tokens;
    const perplexity = Math.exp(loss);
    if (!Number.isFinite(perplexity))
      throw new MeanfieldError(
        `The model's loss on ${files.join(', ')} is ${loss}: its weights are not usable. Take an earlier checkpoint or ` +
          'another copy.',
      );
    const accuracy = sums.accuracy / sums.tokens;
    return { objective: this.objective, loss, perplexity, accuracy, tokens: sums.tokens, ...counts };
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    for (const evaluator of this.#evaluators.values()) await evaluator.dispose();
    this.#evaluators.clear();
  }

  /** The score of each of some jobs; one at a time unless they are read for together. */
  async #score(
    jobs: readonly { readonly room: RowRoom; readonly samples: readonly Sample[] }[],
    signal?: AbortSignal,
  ): Promise<readonly Score[]> {
    const { parameters, scorer } = this.options;
    if (!scorer) return Promise.all(jobs.map(({ room, samples }) => this.#evaluator(room).score(parameters, samples)));
    return scorer.score(
      jobs.map(({ room, samples }) => ({
        key: `${this.objective} ${room}`,
        objective: this.#learned(room) as unknown as Objective<never>,
        samples: samples as readonly never[],
      })),
      signal,
    );
  }

  #learned(room: RowRoom): Objective<Sample> {
    const learned = this.#objectives.get(`${room}`) ?? this.learned(room);
    this.#objectives.set(`${room}`, learned);
    return learned;
  }

  #check(ids: Int32Array): void {
    const { vocabulary } = this.options.model.dimensions;
    const unknown = ids.find((id) => id >= vocabulary);
    if (unknown === undefined) return;
    throw new MeanfieldError(
      `The tokenizer gives id ${unknown}, but the model knows ${vocabulary} tokens: they do not belong together.`,
    );
  }

  #evaluator(room: RowRoom): Evaluator<Sample> {
    const { engine, compile, frozen } = this.options;
    let evaluator = this.#evaluators.get(`${room}`);
    if (!evaluator) {
      // Several sessions are kept, and idle threads that spin would take the busy one's cores.
      const settings = { spinning: false, ...compile };
      evaluator = new Evaluator(this.#learned(room), engine, batchOf(room), settings, frozen);
      this.#evaluators.set(`${room}`, evaluator);
    }
    return evaluator;
  }
}

const placesOf = (room: RowRoom): number => room.reduce((sum, places) => sum + places, 0);
const batchOf = (room: RowRoom): number => mostWindows(placesOf(room));

const CHECK = ' `meanfield data check` shows all rows that are wrong.';

const unusable = (source: string, fault: string) => new MeanfieldError(`${source}: ${fault}.${CHECK}`);
