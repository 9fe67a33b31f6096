/*
 * Rows of added tokens, trained beside an adapter: they take the places of the model's own in its embedding and its head.
 * Shape suffixes: N tokens; V tokens of the vocabulary; K of them trained; C values of a row.
 */
import { UsageError } from '../base/errors.js';
import { concat, gemm, split, type Tensor } from '../graph/index.js';
import type { TracedParameters } from './architecture.js';
import type { ParameterSpec } from './layout.js';

/** Tokens one after another. */
export interface TokenRange {
  readonly first: number;
  readonly count: number;
}

/** The trained rows of a matrix with a row a token. */
export interface TokenRows extends TokenRange {
  /** Of the embedding or the head, whose parameter is `name.weight`, [V, C]. */
  readonly name: string;
  readonly vocabulary: number;
  readonly width: number;
}

/** The parameter of trained rows, [K, C], as PEFT names it; it holds the rows themselves, not what is added to them. */
export const tokenRowsName = (layer: string): string => `${layer}.token_adapter.trainable_tokens_delta`;

/**
 * The trained rows of each matrix that has a row a token: the embedding, and an untied head.
 *
 * @throws UsageError when the model has no such tokens
 */
export function tokenRowsOf(
  layers: readonly { readonly name: string; readonly role?: string | undefined }[],
  { vocabulary, width }: { readonly vocabulary: number; readonly width: number },
  { first, count }: TokenRange,
): TokenRows[] {
  if (first + count > vocabulary)
    throw new UsageError(
      `The model has ${vocabulary} tokens, none ${first + count - 1}: it is another than the one that tokens were added to.`,
    );
  const ends = layers.filter(({ role }) => role !== undefined);
  return ends.map(({ name }) => ({ name, first, count, vocabulary, width }));
}

/** What trained rows begin as is the model's to say. */
export const tokenRowsParameters = (rows: readonly TokenRows[]): ParameterSpec[] =>
  rows.map(({ name, count, width }) => ({
    name: tokenRowsName(name),
    shape: [count, width],
    initialization: { fill: 0 },
  }));

/** Trained rows begin as the model has them. */
export function startTokenRows(
  rows: readonly TokenRows[],
  trained: Readonly<Record<string, Float32Array>>,
  own: Readonly<Record<string, Float32Array>>,
): void {
  for (const { name, first, count, width } of rows)
    trained[tokenRowsName(name)]!.set(own[`${name}.weight`]!.subarray(first * width, (first + count) * width));
}

/** Sizes of what lies before, among and behind the rows, without those that are empty. */
function pieces({ first, count, vocabulary }: TokenRows): readonly number[] {
  return [first, count, vocabulary - first - count].filter((size) => size > 0);
}

/** The matrix [V, C] with the trained rows in their places. */
export function withTokenRows(p: TracedParameters, rows: TokenRows): Tensor {
  const parts = split(p[`${rows.name}.weight`]!, 0, pieces(rows));
  return concat(replaced(parts, rows, p[tokenRowsName(rows.name)]!), 0);
}

/** Scores [N, V] of a head with trained rows, from those that it has without. */
export function scoresWithTokenRows(p: TracedParameters, rows: TokenRows, x_NC: Tensor, scores_NV: Tensor): Tensor {
  const scores_NK = gemm(x_NC, p[tokenRowsName(rows.name)]!, undefined, { transB: true });
  return concat(replaced(split(scores_NV, 1, pieces(rows)), rows, scores_NK), 1);
}

function replaced(parts: readonly Tensor[], { first }: TokenRows, by: Tensor): Tensor[] {
  return parts.map((part, i) => (i === (first > 0 ? 1 : 0) ? by : part));
}
