/*
 * Shape suffixes: N new tokens, of B sequences; S slots of the cache; L rows whose scores are wanted; H heads, K of keys and
 * values; D width of a head, E the next multiple of 8; C width; V vocabulary.
 */
import {
  type AnySizeProgram,
  add,
  attendCached,
  type BlockWeights,
  blockProduct,
  blockRows,
  cachedWidth,
  encodeAnySize,
  exp,
  fastGelu,
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
  sub,
  type Target,
  type Tensor,
} from '../graph/index.js';
import type { Attend } from '../model/architecture.js';
import { BLOCKS, bitsOf, storeBlocks, type WeightPlace } from '../model/block-weights.js';
import type { Model } from '../model/model.js';
import type { WeightPrecision } from './precision.js';

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

/** A small forward pass that tells what a model asks of a cache. */
export function fusedNeeds(model: Model): FusedNeeds {
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

/** The parameters of a model for {@link traceFused}. */
export interface Weights {
  /** Those that are constants of the graph. */
  readonly constants: ReadonlyMap<string, Float32Array | Uint8Array>;
  /** Those that are fed at each step, by name. */
  readonly fed: Readonly<Record<string, Float32Array>>;
  /** Of the parameters that are in few bits, their bits. */
  readonly bits: ReadonlyMap<string, 4 | 8>;
}

/** What stands behind the name of a parameter in few bits. */
const [CODES, SCALES] = ['.codes', '.scales'];

/**
 * The weights of a model in a precision. In single precision they are fed: as constants they would be in memory twice, as
 * what else the model does reads its vector. In few bits they are constants, and the vector is not needed afterwards.
 *
 * In 4 bits are the layers of {@link bitsOf}, and neither tables of tokens nor the head: all in 4 bits cost SmolLM2-135M 6.5 %
 * of its loss.
 */
export function weightsIn(
  precision: WeightPrecision,
  model: Model,
  parameters: Readonly<Record<string, Float32Array>>,
): Weights {
  const bits = new Map<string, 4 | 8>();
  if (precision === 'fp32') return { constants: new Map(), fed: parameters, bits };
  // What stays as it is would else hold on to the vector that it is a view of.
  const constants = new Map<string, Float32Array | Uint8Array>();
  const { places, tables } = weightPlaces(model);
  const head = model.architecture.head(model.config);
  for (const [name, place] of places) {
    const values = parameters[name]!;
    const few = precision === 'int8' || name === head || tables.has(name) ? 8 : bitsOf(place);
    const { codes, scales } = storeBlocks(values, place, few);
    constants.set(name + CODES, codes).set(name + SCALES, scales);
    bits.set(name, few);
  }
  for (const [name, values] of Object.entries(parameters)) if (!bits.has(name)) constants.set(name, values.slice());
  return { constants, fed: {}, bits };
}

/** The weights of products, and the tables of tokens. */
function weightPlaces(model: Model): { places: ReadonlyMap<string, WeightPlace>; tables: ReadonlySet<string> } {
  const places = new Map<string, WeightPlace>();
  const tables = new Set<string>();
  const kept: Tensor[] = [];
  const attend: Attend = (_layer, q, k, v) => {
    kept.push(k, v);
    return q;
  };
  const [ids_N, positions_T] = ['ids', 'positions'].map((name) => input(name, [1], 'int64')) as [Tensor, Tensor];
  const parameters = model.parameterInputs();
  const x_NC = model.forward(parameters, { ids_N, batch: 1, positions_T, attend });
  replaceNodes([model.logits(parameters, x_NC), ...kept], (node) => {
    const weight = productWeight(node);
    if (weight) {
      const [first, second] = weight.shape as [number, number];
      const rows = node.attributes.transB ? 'outputs' : 'inputs';
      places.set(nameOf(weight), {
        rows,
        ...(rows === 'outputs' ? { outputs: first, inputs: second } : { inputs: first, outputs: second }),
      });
    }
    const table = tokenTable(node);
    if (table) {
      tables.add(nameOf(table));
      places.set(nameOf(table), { rows: 'outputs', outputs: table.shape[0]!, inputs: table.shape[1]! });
    }
    return undefined;
  });
  return { places, tables };
}

const isInput = (x: Tensor | undefined): boolean => x?.node.operator.name === 'input';
const nameOf = (x: Tensor): string => x.node.attributes.name as string;

/** The weight of a product, where it is a parameter. */
function productWeight({ operator, inputs, attributes }: Node): Tensor | undefined {
  return operator.name === 'gemm' && !attributes.transA && isInput(inputs[1]) ? inputs[1] : undefined;
}

/** The table that rows of tokens are taken from. */
function tokenTable({ operator, inputs }: Node): Tensor | undefined {
  const [table, ids] = inputs;
  return operator.name === 'gather' && isInput(table) && isInput(ids) && nameOf(ids!) === 'ids' ? table : undefined;
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
      const all = { ...scores, ...outputs };
      const fused = replaceNodes(Object.values(all), (node, inputs) => fusedNode(node, inputs, weights.bits));
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

/** What the CPU has a fused node for, and products of what is kept in few bits. */
function fusedNode(
  node: Node,
  inputs: readonly Tensor[],
  bits: ReadonlyMap<string, 4 | 8>,
): readonly Tensor[] | undefined {
  if (node.operator.name === 'gelu') return [fastGelu(inputs[0]!)];
  // In its lowering stand constants as long as there are tokens.
  if (node.operator.name === 'rotary') {
    const [x, cos, sin] = inputs as [Tensor, Tensor, Tensor];
    return node.operator.decompose!(rotary(x, cos, sin).node, 'cpu');
  }
  const of = (name: string, outputs: number, width: number): BlockWeights => {
    const few = bits.get(name)!;
    const blocks = Math.ceil(width / BLOCKS[few]);
    const codes = input(name + CODES, [outputs, blocks, (BLOCKS[few] * few) / 8], 'uint8');
    return { codes, scales: input(name + SCALES, [outputs, blocks]), bits: few, inputs: width };
  };
  const weight = productWeight(node);
  if (weight && bits.has(nameOf(weight))) {
    const [first, second] = weight.shape as [number, number];
    const { transB, alpha, beta } = node.attributes as { transB: boolean; alpha: number; beta: number };
    const blocks = transB ? of(nameOf(weight), first, second) : of(nameOf(weight), second, first);
    const [x, , c] = inputs as [Tensor, Tensor, Tensor?];
    if (c && alpha === 1 && beta === 1 && c.shape.length === 1) return [blockProduct(x, blocks, c)];
    const product = blockProduct(alpha === 1 ? x : scale(x, alpha), blocks);
    return [c ? add(product, scale(c, beta)) : product];
  }
  const table = tokenTable(node);
  if (table && bits.get(nameOf(table)) === 8)
    return [blockRows(of(nameOf(table), table.shape[0]!, table.shape[1]!), inputs[1]!)];
  return undefined;
}
