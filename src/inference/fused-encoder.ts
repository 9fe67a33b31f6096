/*
 * Shape suffixes: N tokens = B texts × T positions, text after text; H heads of width D; C width of the model.
 */
import {
  attendTexts,
  fusedGelu,
  input,
  type Node,
  replaceNodes,
  reshape,
  rotary,
  type Tensor,
} from '../graph/index.js';
import type { SentenceModules } from '../hub/sentence-folder.js';
import type { LayerAttention } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import type { EmbeddingSize } from './embedding-program.js';

/** Texts, and tokens of each. */
export const FUSED_SIZES = [
  { name: 'texts', at: ['ids', 0] },
  { name: 'tokens', at: ['ids', 1] },
] as const;

type HeadsOf = readonly [q: Tensor, k: Tensor, v: Tensor];

/** Whether the fused operators do what a model's layers ask, and its poolings can be traced for any size. */
export function embedsFused(model: Model, { poolings }: SentenceModules): boolean {
  // What it weighs tokens by are constants, as many as there are tokens.
  if (model.architecture.sees !== 'all' || model.storage || poolings.includes('weightedmean')) return false;
  let fits = true;
  hiddenStates(model, { texts: 1, tokens: 1 }, ([q], { relative, softcap, window } = {}) => {
    if (relative || softcap !== undefined || window !== undefined) fits = false;
    return q;
  });
  return fits;
}

/** Hidden states of all tokens, [N, C]: as of one text whose positions begin anew, so that nothing need be transposed. */
function hiddenStates(
  model: Model,
  { texts: B, tokens: T }: EmbeddingSize,
  attend: (heads: HeadsOf, options?: LayerAttention) => Tensor,
): Tensor {
  return model.forward(model.parameterInputs(), {
    ids_N: reshape(input('ids', [B, T], 'int64'), [B * T]),
    batch: 1,
    positions_T: input('positions', [B * T], 'int64'),
    attend: (_layer, q, k, v, options) => attend([q, k, v], options),
  });
}

/** Hidden states of all tokens, [N, C], by fused operators. Inputs as of {@link traceFusedEmbedding}. */
export function fusedHiddenStates(model: Model, sizes: EmbeddingSize): Tensor {
  const { texts: B, tokens: T } = sizes;
  const lengths = input('lengths', [B], 'int32');
  const x_NC = hiddenStates(model, sizes, (heads, { scale } = {}) => {
    const [H, D] = heads[0].shape.slice(2) as [number, number];
    const [q, k, v] = heads.map((x) => reshape(x, [B, T, H, D])) as [Tensor, Tensor, Tensor];
    return reshape(attendTexts([q, k, v], lengths, scale), heads[0].shape);
  });
  return replaceNodes([x_NC], fusedNode)[0]!;
}

/** What a program is fed for texts, each filled up to so many tokens. */
export function tokenFeeds(ids: readonly Int32Array[], T: number) {
  const B = ids.length;
  const filled = new BigInt64Array(B * T);
  for (const [b, text] of ids.entries()) for (const [t, id] of text.entries()) filled[b * T + t] = BigInt(id);
  return {
    ids: { data: filled, shape: [B, T] },
    positions: { data: BigInt64Array.from({ length: B * T }, (_, n) => BigInt(n % T)), shape: [B * T] },
    lengths: { data: Int32Array.from(ids, ({ length }) => length), shape: [B] },
  };
}

function fusedNode({ operator }: Node, inputs: readonly Tensor[]): readonly Tensor[] | undefined {
  if (operator.name === 'geluErf') return [fusedGelu(inputs[0]!)];
  // In its lowering stand constants as long as there are tokens.
  if (operator.name !== 'rotary') return undefined;
  const [x, cos, sin] = inputs as [Tensor, Tensor, Tensor];
  return operator.decompose!(rotary(x, cos, sin).node, 'cpu');
}
