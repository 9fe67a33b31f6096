/*
 * Shape suffixes: T new tokens, S slots of the cache; H heads, K of keys and values, G = H / K queries a key serves;
 * D width of a head; C width of the model; V vocabulary. One sequence.
 */
import {
  add,
  attentionMask,
  concat,
  encode,
  gather,
  input,
  matmul,
  type Program,
  reshape,
  scale,
  sizeOf,
  softcap,
  softmax,
  split,
  type Target,
  type Tensor,
  transpose,
} from '../graph/index.js';
import type { Attend, LayerAttention } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import { biasOf, type RelativeBias, relativeBias } from '../model/relative-bias.js';
import { attendKept } from './source-program.js';

/** The size of a step: shapes are static, so each size is a program of its own. */
export interface StepSize {
  /** New tokens, T. */
  readonly tokens: number;
  /** Slots of the cache that are read, S; those not in use are masked. */
  readonly slots: number;
  /** The tokens that the whole sequence may have, where positions change with them. */
  readonly reach?: number;
  /** Slots of the source that is read, where there is one. */
  readonly source?: number | undefined;
}

/** Large enough that its exponential is exactly 0, small enough that no sum overflows. */
export const MASKED = -1e9;

/**
 * A step of generation: T new tokens that follow those in the cache.
 *
 * Inputs: the parameters; `ids` and `positions` [T] int64; `row` [1] int64, whose logits are wanted; `mask` [S], 0 for
 * slots in use and {@link MASKED} elsewhere, and for each window W of a layer `mask.W` [T, S], which shuts the slots that
 * are too far away for a token as well; `keys.i` and `values.i` [S, 1, K, D] for each layer.
 * Of a model with numbers for distances, `buckets` [T · S] int64: those of each token and slot. Of one that reads a source,
 * what `traceSource` gives, and `own`.
 * Outputs: `logits` [1, V]; `new_keys.i` and `new_values.i` [T, 1, K, D], the rows to append to the cache.
 */
export function traceStep(model: Model, { tokens: T, slots: S, reach, source }: StepSize, target: Target): Program {
  const outputs: Record<string, Tensor> = {};
  const parameters = model.parameterInputs();
  const hidden_TC = model.forward(parameters, {
    ids_N: input('ids', [T], 'int64'),
    batch: 1,
    positions_T: input('positions', [T], 'int64'),
    attend: attendToSlots(model, { tokens: T, slots: S }, (layer) => ({ number: layer, outputs })),
    reach,
    attendSource: source === undefined ? undefined : attendKept(source, T),
  });
  const logits = model.logits(parameters, gather(hidden_TC, input('row', [1], 'int64')));
  return encode({ logits, ...outputs }, target);
}

/**
 * Attention of a step's tokens to what is cached and to each other, as {@link traceStep} has it.
 *
 * @param cacheOf the number by which a layer's cache is named, and where what belongs into it is put
 */
export function attendToSlots(
  { dimensions: { keyValueHeads: K } }: Model,
  { tokens: T, slots: S }: Pick<StepSize, 'tokens' | 'slots'>,
  cacheOf: (layer: number) => { readonly number: number; readonly outputs: Record<string, Tensor> },
): Attend {
  const masks = new Map<number | undefined, Tensor>([[undefined, input('mask', [S])]]);
  const maskOf = (window: number | undefined): Tensor => {
    const mask = masks.get(window) ?? reshape(input(`mask.${window}`, [T, S]), [T, 1, S]);
    masks.set(window, mask);
    return mask;
  };
  return (layer, q_T1HD, k_T1KD, v_T1KD, options = {}) => {
    const D = q_T1HD.shape[3]!;
    const { number, outputs } = cacheOf(layer);
    outputs[`new_keys.${number}`] = k_T1KD;
    outputs[`new_values.${number}`] = v_T1KD;
    const past = (name: string) => reshape(input(`${name}.${number}`, [S, 1, K, D]), [S, K, D]);
    const fresh = (x: Tensor) => reshape(x, [T, K, D]);
    return attendToCache(
      q_T1HD,
      { keys: past('keys'), values: past('values') },
      { keys: fresh(k_T1KD), values: fresh(v_T1KD) },
      maskOf(options.window),
      { ...options, ...(options.relative && { biases: biasesOf(options.relative, T, S) }) },
    );
  };
}

/** What a model asks of a cache. */
export interface CacheNeeds {
  /** Elements of a layer's keys for one token, K · D. */
  readonly row: number;
  /** The different windows of its layers, in tokens. */
  readonly windows: readonly number[];
  /** Whether a layer sees all of the past. */
  readonly whole: boolean;
  /** Of a model with numbers for distances, the number of a key's position less its query's. */
  readonly bucket?: RelativeBias['bucket'] | undefined;
}

/** What a model asks of a cache, as its forward pass tells. */
export function cacheNeeds(model: Model): CacheNeeds {
  let row = 0;
  let bucket: CacheNeeds['bucket'];
  const windows = new Set<number | undefined>();
  const attend: Attend = (_layer, q, k, _v, options) => {
    row = sizeOf(k.shape);
    bucket ??= options?.relative?.bucket;
    windows.add(options?.window);
    return q;
  };
  const one = (name: string) => input(name, [1], 'int64');
  model.forward(model.parameterInputs(), {
    ids_N: one('ids'),
    batch: 1,
    positions_T: one('positions'),
    attend,
    attendSource: (_layer, q) => q,
  });
  const bounded = [...windows].filter((window) => window !== undefined);
  return { row, windows: bounded, whole: windows.has(undefined), bucket };
}

/** What is added to scores by distances, of queries [H, T, S] to the cache and [H, T, T] to each other. */
interface Biases {
  readonly past: Tensor;
  readonly fresh: Tensor;
}

function biasesOf(relative: RelativeBias, T: number, S: number): Biases {
  const past = biasOf(relative.table_RH, input('buckets', [T * S], 'int64'), T, S);
  return { past, fresh: relativeBias(relative, T, T) };
}

/** Keys and values, [rows, K, D]. */
interface Rows {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/**
 * softmax over [q·past | q·fresh], joined as scores: joining keys instead would copy the cache at each token. The
 * queries that share a key are rows of one product, so the cache is not repeated for them.
 */
function attendToCache(
  q_T1HD: Tensor,
  past: Rows,
  fresh: Rows,
  mask: Tensor,
  options: LayerAttention & { readonly biases?: Biases },
): Tensor {
  const [T, , H, D] = q_T1HD.shape as [number, number, number, number];
  const [S, K] = past.keys.shape as [number, number];
  const G = H / K;
  const q_KTGD = transpose(reshape(scale(q_T1HD, options.scale ?? 1 / Math.sqrt(D)), [T, K, G, D]), [1, 0, 2, 3]);
  const q_KND = reshape(q_KTGD, [K, T * G, D]);
  const scores = (keys: Tensor, bias_HTS: Tensor | undefined) => {
    const products = matmul(q_KND, keys, { rowsFirstB: true, transB: true });
    const bent = options.softcap === undefined ? products : softcap(products, options.softcap);
    const bent_KTGS = reshape(bent, [K, T, G, keys.shape[0]!]);
    if (bias_HTS === undefined) return bent_KTGS;
    return add(bent_KTGS, transpose(reshape(bias_HTS, [K, G, T, keys.shape[0]!]), [0, 2, 1, 3]));
  };
  const past_KTGS = add(scores(past.keys, options.biases?.past), mask);
  const mask_T1T = (window?: number) => reshape(attentionMask(T, T, { window }), [T, 1, T]);
  const fresh_KTGT = add(scores(fresh.keys, options.biases?.fresh), mask_T1T(options.window));
  const p_KTGZ = softmax(concat([past_KTGS, fresh_KTGT], 3));
  const [p, r] = split(p_KTGZ, 3, [S, T]) as [Tensor, Tensor];
  const mix = (weights: Tensor, values: Tensor) =>
    matmul(reshape(weights, [K, T * G, values.shape[0]!]), values, { rowsFirstB: true });
  const o_KTGD = reshape(add(mix(p, past.values), mix(r, fresh.values)), [K, T, G, D]);
  return reshape(transpose(o_KTGD, [1, 0, 2, 3]), [T, 1, H, D]);
}
