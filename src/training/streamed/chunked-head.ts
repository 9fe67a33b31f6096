/*
 * The cross-entropy of a linear head whose table is in several sections, as `graph/operators/loss.ts` has it of a whole one:
 * a first pass over the sections for each row's log-sum of exponentials, a second for the gradients.
 * Shape suffixes: N tokens; C width; R rows of the table in a section.
 */
import type { Engine, Session, SessionOptions } from '../../engine/engine.js';
import { Sessions } from '../../engine/sessions.js';
import {
  add,
  exp,
  gemm,
  input,
  lessOne,
  linearScores,
  mul,
  pick,
  reduceMax,
  reduceSum,
  reshape,
  sub,
} from '../../graph/index.js';
import { likeliest } from '../../objectives/likeliest.js';
import { lowWords } from '../../objectives/low-words.js';

/** What the first pass gathers of a micro-batch: one number a token. */
export class RowCosts {
  readonly #max: Float64Array;
  readonly #sum: Float64Array;
  readonly #picked: Float64Array;
  /** The likeliest token of each, of equal ones the first, where sections were added with theirs, from the first on. */
  readonly predicted_N: Float32Array;
  /** log Σ exp of all scores, once all sections have been added. */
  readonly logSum_N: Float32Array;

  constructor(readonly tokens: number) {
    [this.#max, this.#sum, this.#picked] = [0, 1, 2].map(() => new Float64Array(tokens)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    this.logSum_N = new Float32Array(tokens);
    this.predicted_N = new Float32Array(tokens);
  }

  /** Before the first section. */
  reset(): void {
    this.#max.fill(Number.NEGATIVE_INFINITY);
    this.#sum.fill(0);
  }

  /**
   * Adds a section's scores: the largest of each token, Σ exp of what they are below it, and that of its target.
   *
   * @param predicted_N the section's likeliest tokens, where they are asked for
   */
  add(
    max_N: Float32Array,
    sum_N: Float32Array,
    picked_N: Float32Array,
    targets: SectionTargets,
    predicted_N?: Float32Array,
  ): void {
    for (let n = 0; n < this.tokens; n++) {
      const [before, own] = [this.#max[n]!, max_N[n]!];
      if (predicted_N && own > before) this.predicted_N[n] = predicted_N[n]!;
      const max = Math.max(before, own);
      this.#sum[n] = this.#sum[n]! * Math.exp(before - max) + sum_N[n]! * Math.exp(own - max);
      this.#max[n] = max;
      if (targets.minus_N[n] !== 0) this.#picked[n] = picked_N[n]!;
    }
  }

  /** Ends the pass: each token's cost, in nats. */
  costs(): Float64Array {
    return Float64Array.from({ length: this.tokens }, (_, n) => {
      const logSum = this.#max[n]! + Math.log(this.#sum[n]!);
      this.logSum_N[n] = logSum;
      return logSum - this.#picked[n]!;
    });
  }
}

/** The targets that lie in a section: their rows in it, 0 for those of others, and −1 where they are its own. */
export interface SectionTargets {
  readonly ids_N: BigInt64Array;
  readonly minus_N: Float32Array;
}

/** Of a section that begins with a row of the vocabulary and has so many. */
export function sectionTargets(targets_N: BigInt64Array, first: number, rows: number): SectionTargets {
  const ids_N = new BigInt64Array(targets_N.length);
  const minus_N = new Float32Array(targets_N.length);
  const [from, to] = [lowWords(targets_N), lowWords(ids_N)];
  for (let n = 0; n < targets_N.length; n++) {
    const row = from[2 * n]! - first;
    if (row < 0 || row >= rows) continue;
    to[2 * n] = row;
    minus_N[n] = -1;
  }
  return { ids_N, minus_N };
}

/** The programs of a head, one of each for every number of rows. */
export class ChunkedHead {
  readonly #sessions: Sessions;

  constructor(
    engine: Engine,
    private readonly sizes: { readonly tokens: number; readonly width: number; readonly softcap: number | undefined },
    compile: SessionOptions = {},
  ) {
    this.#sessions = new Sessions(engine, compile);
  }

  /** The first pass over a section. @param w its rows, [R, C] */
  async costs(h_NC: Float32Array, w_RC: Float32Array, targets: SectionTargets, into: RowCosts): Promise<void> {
    const session = await this.#costs(w_RC.length / this.sizes.width);
    const { max, sum, picked } = await session.run({ h: h_NC, w: w_RC, ids: targets.ids_N });
    into.add(max as Float32Array, sum as Float32Array, picked as Float32Array, targets);
  }

  /** {@link costs}, and the likeliest token of each. @param first the token of the section's first row */
  async judge(
    h_NC: Float32Array,
    w_RC: Float32Array,
    targets: SectionTargets,
    first: number,
    into: RowCosts,
  ): Promise<void> {
    const session = await this.#costs(w_RC.length / this.sizes.width, true);
    const { max, sum, picked, best } = await session.run({ h: h_NC, w: w_RC, ids: targets.ids_N });
    const predicted_N = (best as Float32Array).map((row) => first + row);
    into.add(max as Float32Array, sum as Float32Array, picked as Float32Array, targets, predicted_N);
  }

  /** The scores of a section's tokens, [N, R]. */
  async scores(h_NC: Float32Array, w_RC: Float32Array): Promise<Float32Array> {
    const { tokens: N, width: C, softcap } = this.sizes;
    const rows = w_RC.length / C;
    const session = await this.#sessions.get(`scores ${rows}`, () => ({
      scores: linearScores(input('h', [N, C]), input('w', [rows, C]), softcap).scores,
    }));
    return (await session.run({ h: h_NC, w: w_RC })).scores as Float32Array;
  }

  /**
   * The second pass over a section: adds to the gradients of the hidden state and of its rows.
   *
   * @param share_N by what each token's cost is multiplied in the loss
   */
  async gradients(
    h_NC: Float32Array,
    w_RC: Float32Array,
    { ids_N: ids, minus_N: minus }: SectionTargets,
    { logSum_N: logSum, share_N: share }: { readonly logSum_N: Float32Array; readonly share_N: Float32Array },
    into: { readonly h: Float32Array; readonly w: Float32Array },
  ): Promise<void> {
    const session = await this.#gradients(w_RC.length / this.sizes.width);
    const feeds = { h: h_NC, w: w_RC, ids, minus, logSum, share, dh_before: into.h, dw_before: into.w };
    // In place: each is read by the addition that writes it.
    await session.run(feeds, { dh: into.h, dw: into.w });
  }

  /** The second pass over a section of a table that does not learn: adds to the gradient of the hidden state alone. */
  async stateGradient(
    h_NC: Float32Array,
    w_RC: Float32Array,
    { ids_N: ids, minus_N: minus }: SectionTargets,
    { logSum_N: logSum, share_N: share }: { readonly logSum_N: Float32Array; readonly share_N: Float32Array },
    into: Float32Array,
  ): Promise<void> {
    const session = await this.#gradients(w_RC.length / this.sizes.width, false);
    await session.run({ h: h_NC, w: w_RC, ids, minus, logSum, share, dh_before: into }, { dh: into });
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #costs(rows: number, judged = false): Promise<Session> {
    const { tokens: N, width: C, softcap } = this.sizes;
    return this.#sessions.get(`${judged ? 'judged' : 'costs'} ${rows}`, () => {
      const [h, w] = [input('h', [N, C]), input('w', [rows, C])];
      const { scores } = linearScores(h, w, softcap);
      const max = reduceMax(scores, [1], true);
      const picked = pick(scores, input('ids', [N], 'int64'));
      const sum = reduceSum(exp(sub(scores, max)), [1]);
      const best = judged && { best: likeliest(scores) };
      return { max: reshape(max, [N]), sum, picked: reshape(picked, [N]), ...best };
    });
  }

  #gradients(rows: number, learns = true): Promise<Session> {
    const { tokens: N, width: C, softcap } = this.sizes;
    return this.#sessions.get(`${learns ? 'gradients' : 'state'} ${rows}`, () => {
      const [h, w] = [input('h', [N, C]), input('w', [rows, C])];
      const column = (name: string) => reshape(input(name, [N]), [N, 1]);
      const { scores, slope } = linearScores(h, w, softcap);
      const probabilities = exp(sub(scores, column('logSum')));
      const capped = lessOne(probabilities, input('ids', [N], 'int64'), input('minus', [N]));
      const d = mul(slope ? mul(capped, slope) : capped, column('share'));
      return {
        dh: add(input('dh_before', [N, C]), gemm(d, w)),
        ...(learns && { dw: add(input('dw_before', [rows, C]), gemm(d, h, undefined, { transA: true })) }),
      };
    });
  }
}
