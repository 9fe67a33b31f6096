import { MeanfieldError, UsageError } from '../base/errors.js';
import { othersTurn } from '../base/others-turn.js';
import { encodeBeginning } from '../data/index.js';
import { Sessions } from '../engine/sessions.js';
import { encode, input, type Program, type Target } from '../graph/index.js';
import type { Model } from '../model/model.js';
import type { EmbedderOptions } from './embedder.js';
import { byPowersOfTwo, textFeeds } from './embedding-runs.js';

/** A text, or two of which the second is read beside the first. */
export type TextOrPair = string | readonly [string, string];

/** Ids as the model reads them, and of which text each is: 0 or 1. */
interface Encoded {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** Tells labels of texts by a model's head of whole texts, those of like length together. */
export class Classifier {
  /** In the order of scores. */
  readonly labels: readonly string[];
  readonly #sessions: Sessions;
  /** Whether each label stands by itself; else one of them holds. */
  readonly #apart: boolean;

  /** @throws UsageError for a model without such a head */
  constructor(private readonly options: EmbedderOptions) {
    const { model, engine, compile } = options;
    if (model.taskHead?.task !== 'sequence')
      throw new UsageError(`A ${model.architecture.name} model without a head of whole texts tells no labels.`);
    this.labels = labelsOf(model);
    const { problem_type: problem } = model.config as { problem_type?: unknown };
    this.#apart = problem === 'multi_label_classification' || this.labels.length === 1;
    this.#sessions = new Sessions(engine, { spinning: false, ...compile });
  }

  /**
   * For each text a score for each label, 0 to 1: those of a softmax, or of sigmoids where labels do not exclude each other or
   * there is one. What is longer than the model takes is cut at its end; of a pair the longer one.
   *
   * @param read called once with how many tokens are read of all texts
   * @throws EncodeError for a text that the tokenizer cannot express
   * @throws UsageError for a pair where the tokenizer knows of none
   * @throws MeanfieldError when a score is not finite
   * @throws DOMException (AbortError) when stopped by the signal
   */
  async classify(
    texts: readonly TextOrPair[],
    signal?: AbortSignal,
    read?: (tokens: number) => void,
  ): Promise<Float32Array[]> {
    const all = texts.map((text) => this.#encode(text));
    read?.(all.reduce((sum, { ids }) => sum + ids.length, 0));
    const scores: Float32Array[] = new Array(texts.length);
    const lengths = all.map(({ ids }) => ids.length);
    for (const { tokens, texts: numbers } of byPowersOfTwo(lengths, this.options.model.dimensions.context)) {
      signal?.throwIfAborted();
      const found = await this.#run(
        numbers.map((i) => all[i]!),
        tokens,
      );
      for (const [b, i] of numbers.entries()) scores[i] = found[b]!;
      await othersTurn();
    }
    return scores;
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #encode(text: TextOrPair): Encoded {
    const { tokenizer, model } = this.options;
    const { context } = model.dimensions;
    if (typeof text === 'string') {
      const { before, after } = tokenizer.around ?? { before: [], after: [] };
      const room = Math.max(0, context - before.length - after.length);
      const ids = [...before, ...encodeBeginning(tokenizer, text, room).subarray(0, room), ...after];
      if (ids.length === 0) throw new UsageError('A text has no token, so it has no label. Leave empty texts out.');
      return { ids, types: ids.map(() => 0) };
    }
    const around = tokenizer.aroundPair;
    if (around === undefined)
      throw new UsageError("The model's tokenizer reads one text at a time, and here is a pair.");
    const [first, second] = text.map((one) => [...encodeBeginning(tokenizer, one, context)]) as [number[], number[]];
    const room = context - around.before.length - around.between.length - around.after.length;
    // As transformers does: token by token, from whichever is the longer then.
    while (first.length + second.length > room) (first.length > second.length ? first : second).pop();
    const [one, two] = [
      [...around.before, ...first, ...around.between],
      [...second, ...around.after],
    ];
    return { ids: [...one, ...two], types: [...one.map(() => 0), ...two.map(() => around.second)] };
  }

  async #run(encoded: readonly Encoded[], tokens: number): Promise<Float32Array[]> {
    const { model, parameters, frozen = new Float32Array(0) } = this.options;
    const { texts, ...feeds } = textFeeds(
      encoded.map(({ ids }) => ids),
      tokens,
    );
    const typed = encoded.some(({ types }) => types.includes(1));
    const session = await this.#sessions.of(`${tokens} ${texts} ${typed}`, ({ target }) =>
      traceLabels(model, { tokens, texts, typed }, target),
    );
    const types = typed && {
      types: textFeeds(
        encoded.map((text) => text.types),
        tokens,
      ).ids,
    };
    const { scores } = await session.run({ ...model.views(parameters, frozen), ...feeds, ...types });
    const all = scores as Float32Array;
    if (!all.every(Number.isFinite))
      throw new MeanfieldError(
        "A score of the model is not finite: its weights are not usable. Take another copy of the model's files.",
      );
    const labels = this.labels.length;
    return encoded.map((_, b) => shares(all.subarray(b * labels, (b + 1) * labels), this.#apart));
  }
}

/** Inputs: the parameters, `ids` [N] and where pairs are read `types` [N] int64, and `own` [N]. Output: `scores` [B, labels]. */
function traceLabels(
  model: Model,
  { tokens: T, texts: B, typed }: { readonly tokens: number; readonly texts: number; readonly typed: boolean },
  target: Target,
): Program {
  const own_N = input('own', [T * B]);
  const types_N = typed ? input('types', [T * B], 'int64') : undefined;
  const [p, ids_N] = [model.parameterInputs(), input('ids', [T * B], 'int64')];
  const x_NC = model.hidden(p, ids_N, B, T, { own_N, types_N });
  return encode({ scores: model.scores(p, x_NC, { batch: B, own_N }) }, target);
}

/** Scores as probabilities: of each by itself, or of one of them. */
function shares(scores: Float32Array, apart: boolean): Float32Array {
  if (apart) return scores.map((score) => 1 / (1 + Math.exp(-score)));
  const largest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** The labels of a head, by their numbers; those without names are called as transformers calls them. */
function labelsOf(model: Model): string[] {
  const { id2label, num_labels: count } = model.config as {
    id2label?: Readonly<Record<string, unknown>> | null;
    num_labels?: number | null;
  };
  const number = id2label ? Object.keys(id2label).length : (count ?? 2);
  return Array.from({ length: number }, (_, i) => String(id2label?.[i] ?? `LABEL_${i}`));
}
