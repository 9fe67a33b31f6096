/*
 * Shape suffixes: N new tokens, of B sequences; S slots of the cache; L rows whose scores are wanted; H heads, K of keys and
 * values; D width of a head, E the next multiple of 8; C width; V vocabulary.
 */
import {
  type AnySizeProgram,
  add,
  addNorm,
  attendCached,
  type BlockWeights,
  blockProduct,
  blockRows,
  type CachedAttention,
  cachedWidth,
  encodeAnySize,
  exp,
  fastGelu,
  formatShape,
  gather,
  input,
  log,
  type Node,
  pick,
  reduceMax,
  reduceSum,
  replaceNodes,
  reshape,
  rotary,
  type SymbolicSize,
  scale,
  split,
  sub,
  type Target,
  type Tensor,
  topologicalOrder,
} from '../graph/index.js';
import type { Attend } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import { CODES, isInput, nameOf, productWeight, SCALES, type Stored, tokenTable, type Weights } from './weights.js';

/** Keys and values of a layer in a cache. */
export interface CachedHeads {
  /** K. */
  readonly heads: number;
  /** E. */
  readonly width: number;
}

/** What a model asks of {@link traceFused} and its cache. */
export interface FusedNeeds {
  /** Of each layer. */
  readonly heads: readonly CachedHeads[];
  /** Whether the fused operator does what its layers ask. */
  readonly fits: boolean;
}

const needs = new WeakMap<Model, FusedNeeds>();

/** What a model asks of a cache, as a small forward pass tells. */
export function fusedNeeds(model: Model): FusedNeeds {
  const known = needs.get(model) ?? askedOf(model);
  needs.set(model, known);
  return known;
}

function askedOf(model: Model): FusedNeeds {
  const heads: CachedHeads[] = [];
  let fits = !model.architecture.encoder && model.storage === undefined;
  const attend: Attend = (layer, q, k, _v, options) => {
    heads[layer] = { heads: k.shape[2]!, width: cachedWidth(k.shape[3]!) };
    if (options?.relative) fits = false;
    return q;
  };
  if (fits) {
    const one = (name: string) => input(name, [1], 'int64');
    model.forward(model.parameterInputs(), { ids_N: one('ids'), batch: 1, positions_T: one('positions'), attend });
  }
  return { heads, fits };
}

/** What a program is made for. */
export interface FusedOptions {
  readonly weights: Weights;
  /** The tokens that a whole sequence may have, where positions change with them. */
  readonly reach?: number | undefined;
  /** Whether scores of given tokens are wanted, not of all that may follow. */
  readonly told?: boolean;
}

type Size = 'tokens' | 'batch' | 'slots' | 'rows';

const SIZES: readonly SymbolicSize<Size>[] = [
  { name: 'tokens', at: ['ids', 0] },
  { name: 'batch', at: ['lengths', 0] },
  { name: 'slots', at: ['keys.0', 2] },
  { name: 'rows', at: ['rows', 0] },
];

/**
 * A step of generation for any number of sequences with one new token each, or one with any number of them, on the CPU.
 *
 * Inputs: `ids` and `positions` [N] int64, sequence after sequence; `lengths`, `longest` and `shape` as of `attendCached`;
 * `rows` [L] int64, of which tokens scores are wanted; `keys.i` and `values.i` [B, K, S, E] of each layer.
 * Outputs: `logits` [L, V]; `new_keys.i` and `new_values.i`, which are to be written where `keys.i` and `values.i` are fed.
 * With `told`: `targets` [L] int64 as well, and in place of `logits` of each row `sum`, the logarithm of the sum of all
 * exponentials, and `target`, the target's score, [L], both less the largest score.
 */
export function traceFused(model: Model, { weights, reach, told }: FusedOptions, target: Target): AnySizeProgram {
  const { heads } = fusedNeeds(model);
  return encodeAnySize(
    SIZES,
    ({ tokens: N, batch: B, slots: S, rows: L }) => {
      const outputs: Record<string, Tensor> = {};
      const attend: Attend = (layer, q, k, v, options = {}) => {
        const { heads: K, width: E } = heads[layer]!;
        const cached = (name: string) => input(`${name}.${layer}`, [B, K, S, E]);
        const turned = turnedTogether(q, k, E);
        const given = turned ? ([turned.q, turned.k, v] as const) : ([q, k, v] as const);
        const sequences = {
          lengths: input('lengths', [B], 'int32'),
          longest: input('longest', [], 'int32'),
          shape: input('shape', [3], 'int64'),
          turned,
        };
        const rows = given.map((x) => reshape(x, [N, x.shape[2]! * x.shape[3]!])) as [Tensor, Tensor, Tensor];
        const cache = [cached('keys'), cached('values')] as const;
        const [o, keys, values] = attendCached(rows, cache, sequences, { ...options, heads: q.shape[2]! });
        outputs[`new_keys.${layer}`] = keys;
        outputs[`new_values.${layer}`] = values;
        return reshape(o, q.shape);
      };
      const parameters = model.parameterInputs();
      const x_NC = model.forward(parameters, {
        ids_N: input('ids', [N], 'int64'),
        batch: N,
        positions_T: input('positions', [N], 'int64'),
        attend,
        reach,
      });
      const logits_LV = model.logits(parameters, gather(x_NC, input('rows', [L], 'int64')));
      const scores = told ? scoresOf(logits_LV, input('targets', [L], 'int64')) : { logits: logits_LV };
      const parts: Parts = new Map();
      const all = { ...scores, ...outputs };
      const replaced = replaceNodes(Object.values(all), (node, inputs) =>
        fusedNode(node, inputs, { weights, parts, target }),
      );
      const fused = withAddedNorms(replaced);
      return Object.fromEntries(Object.keys(all).map((name, i) => [name, fused[i]!]));
    },
    target,
    weights.constants,
  );
}

function scoresOf(logits_LV: Tensor, targets_L: Tensor) {
  const most_L1 = reduceMax(logits_LV, [1], true);
  const less_LV = sub(logits_LV, most_L1);
  return {
    sum: reshape(log(reduceSum(exp(less_LV), [1], true)), [targets_L.shape[0]!]),
    target: pick(less_LV, targets_L),
  };
}

/** The fused operator turns heads of such widths alone. */
const TURNED_WIDTHS = 16;

/** Queries and keys before they were turned by the same tables of all positions, where that is how they came about. */
function turnedTogether(q: Tensor, k: Tensor, width: number) {
  const [x, y] = [q.node, k.node];
  const sameTables = x.inputs[1] === y.inputs[1] && x.inputs[2] === y.inputs[2];
  const fits = q.shape[3] === width && width % TURNED_WIDTHS === 0;
  if (x.operator.name !== 'rotary' || y.operator.name !== 'rotary' || !sameTables || !fits) return undefined;
  const [cos, sin] = [x.inputs[1], x.inputs[2]].map(positionTable);
  return cos && sin ? { q: x.inputs[0]!, k: y.inputs[0]!, cos, sin } : undefined;
}

/** The table of which rows at `positions` were taken. */
function positionTable(rows: Tensor | undefined): Tensor | undefined {
  const taken = rows?.node.operator.name === 'reshape' ? rows.node.inputs[0]!.node : undefined;
  const [table, positions] = taken?.operator.name === 'gather' ? taken.inputs : [];
  return isInput(positions) && nameOf(positions!) === 'positions' ? table : undefined;
}

/** What ONNX Runtime has a fused node for on processors, and products of what is kept in few bits. */
function fusedNode(
  node: Node,
  inputs: readonly Tensor[],
  { weights, parts, target }: { readonly weights: Weights; readonly parts: Parts; readonly target: Target },
): readonly Tensor[] | undefined {
  if (node.operator.name === 'gelu') return [fastGelu(inputs[0]!)];
  // In its lowering stand constants as long as there are tokens.
  if (node.operator.name === 'rotary') {
    const [x, cos, sin] = inputs as [Tensor, Tensor, Tensor];
    return node.operator.decompose!(rotary(x, cos, sin).node, target);
  }
  if (node.operator.name === 'attendCached') return attendPacked(node, inputs);
  const stored = weights.products.get(nameOf(productWeight(node)));
  if (stored) return [storedProduct(node, inputs, stored, parts)];
  const rows = weights.tables.get(nameOf(tokenTable(node)));
  return rows && [blockRows(blocksOf(rows), inputs[1]!)];
}

/** The same graph with each sum that is normalised, as a residual stream is before a layer, in one node with that. */
function withAddedNorms(outputs: readonly Tensor[]): Tensor[] {
  const norms = new Map<Tensor, Node>();
  for (const node of topologicalOrder(outputs)) {
    const [sum, ...vectors] = node.inputs;
    if (!NORMS.has(node.operator.name) || sum!.node.operator.name !== 'add' || !vectors.every(isInput)) continue;
    const shapes = new Set([sum!, ...sum!.node.inputs].map(({ shape }) => formatShape(shape)));
    if (shapes.size === 1 && !norms.has(sum!)) norms.set(sum!, node);
  }
  const normals = new Map<Node, Tensor>();
  return replaceNodes(outputs, (node, inputs) => {
    const normal = normals.get(node);
    if (normal) return [normal];
    const norm = norms.get(node.outputs[0]!);
    if (!norm) return undefined;
    const [all, sum] = addNorm(inputs[0]!, inputs[1]!, norm.inputs.slice(1), norm.attributes.epsilon as number);
    normals.set(norm, all);
    return [sum];
  });
}

/** What {@link addNorm} does behind a sum. */
const NORMS = new Set(['layerNorm', 'rmsNorm']);

function blocksOf({ name, bits, block, inputs, outputs }: Stored): BlockWeights {
  const O = outputs.reduce((sum, n) => sum + n, 0);
  const Z = Math.ceil(inputs / block);
  const codes = input(name + CODES, [O, Z, (block * bits) / 8], 'uint8');
  return { codes, scales: input(name + SCALES, [O, Z]), bits, inputs };
}

/** Results of products that are stored together, by their input and the name. */
type Parts = Map<Tensor, Map<string, readonly Tensor[]>>;

function storedProduct(
  { attributes }: Node,
  [x, , c]: readonly Tensor[],
  stored: Stored & { readonly at: number },
  parts: Parts,
): Tensor {
  const { alpha, beta } = attributes as { alpha: number; beta: number };
  const product = (bias?: Tensor) => blockProduct(alpha === 1 ? x! : scale(x!, alpha), blocksOf(stored), bias);
  if (stored.outputs.length === 1) {
    if (c && alpha === 1 && beta === 1 && c.shape.length === 1) return product(c);
    return c ? add(product(), scale(c, beta)) : product();
  }
  const known = parts.get(x!) ?? new Map<string, readonly Tensor[]>();
  const all = known.get(stored.name) ?? split(product(), 1, stored.outputs);
  parts.set(x!, known.set(stored.name, all));
  const part = all[stored.at]!;
  return c ? add(part, scale(c, beta)) : part;
}

/** Attention to queries, keys and values that are parts of one product, as they lie there. */
function attendPacked(node: Node, inputs: readonly Tensor[]): readonly Tensor[] | undefined {
  const parts = inputs.slice(0, 3).map(beforeReshape);
  const whole = parts[0]!.node;
  const lie = parts.every((part, i) => part.node === whole && part.index === i) && whole.outputs.length === 3;
  const [, , , keys, values, lengths, longest, shape, cos, sin] = inputs as Tensor[];
  const options = node.attributes as unknown as CachedAttention;
  const width = (parts[0]!.shape[1] ?? 0) / options.heads;
  if (whole?.operator.name !== 'split' || !lie || keys!.shape[3] !== width) return undefined;
  const sequences = { lengths: lengths!, longest: longest!, shape: shape! };
  const turned = cos && sin ? { turned: { cos, sin } } : {};
  return attendCached([whole.inputs[0]!], [keys!, values!], { ...sequences, ...turned }, options);
}

function beforeReshape(x: Tensor): Tensor {
  return x.node.operator.name === 'reshape' ? beforeReshape(x.node.inputs[0]!) : x;
}
