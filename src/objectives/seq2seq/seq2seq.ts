/*
 * Shape suffixes: N tokens of targets = T positions × B pairs, M of sources = S positions × B; time-major.
 */
import { UsageError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import { spelledError } from '../../base/spelling.js';
import type { TokenRow } from '../../data/chat/row-file.js';
import { sourceAndTarget } from '../../data/chat/source-row.js';
import type { TokenWindow } from '../../data/index.js';
import type { HostArray } from '../../engine/engine.js';
import type { Tensor } from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { headLoss } from '../head-loss.js';
import { lowWords } from '../low-words.js';
import type { Feed, Objective, Scoring } from '../objective.js';
import { OfWindows } from '../of-windows.js';
import { judgeTargets, LOSS_AND_ACCURACY, scoreTargets } from '../score-targets.js';
import { corruptSpans, type SpanSettings, type SpanTokens, spanCounts, spanLengths } from './corrupt-spans.js';

/** What is read, and what is to be written of it; both with the token that ends them. Below 0: no token of the vocabulary. */
export interface TextPair {
  readonly source: ArrayLike<number>;
  readonly target: ArrayLike<number>;
}

/** The room that pairs have, in tokens; what is longer is cut. */
export interface PairRoom {
  readonly source: number;
  readonly target: number;
}

/** What a {@link Seq2Seq} is made for. */
export interface Seq2SeqOptions<Sample> {
  readonly room: PairRoom;
  /** Tokens that a sample counts for. */
  readonly tokens: number;
  /** Stands before a target, where its first token is told. */
  readonly start: number;
  /** The id that is read where a source has no token of the vocabulary. */
  readonly standIn?: number | undefined;
  pairOf(sample: Sample): TextPair;
}

/**
 * A target of a source, token by token from all of the source and the target before it (Sutskever et al., arXiv
 * 1409.3215): the mean cross-entropy in nats over the tokens of targets. What fills pairs up is told by their lengths.
 */
export class Seq2Seq<Sample> extends OfWindows implements Objective<Sample> {
  readonly name = 'seq2seq';
  readonly generative = false;
  readonly metrics = LOSS_AND_ACCURACY;
  readonly scoring: Scoring<Sample> = {
    judge: (parameters, feeds, batch) =>
      judgeTargets(this.model, parameters, this.#hidden(parameters, feeds, batch), feeds),
    score: (_samples, arrays, outputs) => scoreTargets(arrays, outputs),
  };

  constructor(
    model: Model,
    private readonly options: Seq2SeqOptions<Sample>,
  ) {
    super(model, options.tokens);
    if (!model.architecture.encoder)
      throw spelledError(
        UsageError,
        ({ option }) =>
          `A ${model.architecture.name} model reads no source. Use ${option('model', 't5')} with ` +
          `${option('objective', 'seq2seq')}.`,
      );
  }

  /**
   * `source` [M] int64 and `own` [M], 1 for a source's tokens; `ids` and `targets` [N] int64, and `weights` [N], 1 for what
   * is told.
   */
  feeds(batch: number): readonly Feed[] {
    const { source, target } = this.options.room;
    const [M, N] = [[batch * source], [batch * target]];
    return [
      { name: 'source', shape: M, dtype: 'int64' },
      { name: 'own', shape: M, dtype: 'float32' },
      { name: 'ids', shape: N, dtype: 'int64' },
      { name: 'targets', shape: N, dtype: 'int64' },
      { name: 'weights', shape: N, dtype: 'float32' },
    ];
  }

  fill(samples: readonly Sample[], arrays: Readonly<Record<string, HostArray>>): number {
    const { room, start, standIn = 0, pairOf } = this.options;
    const [sources, ids, targets] = ['source', 'ids', 'targets'].map((name) =>
      lowWords(arrays[name] as BigInt64Array),
    ) as [Int32Array, Int32Array, Int32Array];
    const [own, weights] = [arrays.own as Float32Array, arrays.weights as Float32Array];
    const B = samples.length;
    const read = (id: number) => (id < 0 ? standIn : id);
    let weight = 0;
    for (const [b, sample] of samples.entries()) {
      const { source, target } = pairOf(sample);
      for (let s = 0; s < room.source; s++) {
        const m = s * B + b;
        const there = s < source.length;
        sources[2 * m] = there ? read(source[s]!) : 0;
        own[m] = there ? 1 : 0;
      }
      for (let t = 0; t < room.target; t++) {
        const n = t * B + b;
        const told = t < target.length && target[t]! >= 0;
        const before = t === 0 ? start : t <= target.length ? read(target[t - 1]!) : 0;
        ids[2 * n] = before;
        targets[2 * n] = told ? target[t]! : 0;
        weights[n] = told ? 1 : 0;
        weight += weights[n]!;
      }
    }
    return weight;
  }

  loss(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    return headLoss(this.model, parameters, this.#hidden(parameters, feeds, batch), feeds);
  }

  #hidden(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    const { room } = this.options;
    const source = { ids_N: feeds.source!, own_N: feeds.own!, length: room.source };
    return this.model.hiddenOfTarget(parameters, { source, target: { ids_N: feeds.ids!, length: room.target } }, batch);
  }

  /** The graph's mean is over all places, told or not; how many are told is the weight. */
  unit(batch: number): number {
    return batch * this.options.room.target;
  }
}

/** How a text becomes pairs, as the configuration of a run holds it. */
export interface Corruption extends SpanSettings {
  /** The id of the first sentinel; the others go down from it. */
  readonly sentinel: number;
  /** How many sentinels there are. */
  readonly sentinels: number;
}

/** What {@link ofCorruptedText} is made for. */
export interface CorruptedTextOptions {
  readonly corruption: Corruption;
  /** Tokens of a window that become a pair: 2 or more. */
  readonly tokens: number;
  /** Of the run: which spans are left out follows from it and the window's number. */
  readonly seed: number;
  readonly start: number;
  readonly end: number;
  readonly standIn?: number | undefined;
}

/**
 * The objective over windows of a text: spans are left out, and are to be written ({@link corruptSpans}). A sample is a
 * window of which the last token is left; the same window of another epoch loses other spans.
 *
 * @throws UsageError when a window has more spans than there are sentinels
 */
export function ofCorruptedText(
  model: Model,
  { corruption, tokens, seed, start, end, standIn }: CorruptedTextOptions,
): Seq2Seq<TokenWindow> {
  const { spans } = spanCounts(tokens, corruption);
  if (spans > corruption.sentinels)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${tokens} tokens lose ${spans} spans, but the tokenizer has ${corruption.sentinels} tokens to stand for them. Give a ` +
        `smaller ${option('context')}.`,
    );
  const settings: SpanSettings & SpanTokens = { ...corruption, end };
  return new Seq2Seq<TokenWindow>(model, {
    ...{ room: spanLengths(tokens, corruption), tokens, start, standIn },
    pairOf: ({ ids, number }) => corruptSpans(ids.subarray(0, tokens), new Random(seed, 'spans', ...number), settings),
  });
}

/** The objective over rows of sources with targets, which are no longer than the room that there is. */
export function ofSources(
  model: Model,
  { room, ...marks }: Pick<Seq2SeqOptions<TokenRow>, 'room' | 'start' | 'standIn'>,
): Seq2Seq<TokenRow> {
  return new Seq2Seq<TokenRow>(model, { ...marks, room, tokens: room.source + room.target, pairOf: sourceAndTarget });
}
