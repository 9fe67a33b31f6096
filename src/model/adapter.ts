/*
 * LoRA (Hu et al. 2021, arXiv 2106.09685): beside a frozen layer W a product of two small matrices is trained,
 * y = x · Wᵀ + scale · (x · Aᵀ) · Bᵀ.
 * Shape suffixes: N rows; I values of a row that come in; O that go out; R the rank.
 */
import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import { gemm } from '../graph/index.js';
import type { LinearHook, TracedParameters, WeightRows } from './architecture.js';
import { dropout } from './dropout.js';
import type { BaseDtype } from './family-names.js';
import type { ParameterSpec } from './layout.js';
import { NamePattern } from './name-patterns.js';

/** What of a model stays as it is, by patterns of names, or what is trained beside all of it. */
export interface TrainedParts {
  readonly freeze?: readonly string[] | undefined;
  readonly adapter?: LoraSettings | undefined;
  /** With an adapter, how the matrices beside it are kept in memory. Default fp32. */
  readonly baseDtype?: BaseDtype | undefined;
}

/** What an adapter is like. */
export interface LoraSettings {
  /** Rows of A and columns of B. */
  readonly rank: number;
  /** What the adapter adds is multiplied by alpha / rank, */
  readonly alpha: number;
  /** or by alpha / √rank (Kalajdzievski 2023, arXiv 2312.03732). */
  readonly rankStabilized?: boolean | undefined;
  /** Patterns of the layers' names; left out, all linear layers but the head. */
  readonly targets?: readonly string[] | undefined;
}

/** A linear layer of a model, by the name that its `weight` and `bias` follow. */
export interface LinearLayer {
  readonly name: string;
  /** I and O. */
  readonly inputs: number;
  readonly outputs: number;
  readonly rows: WeightRows;
}

/** A linear layer with an adapter. */
export interface AdaptedLayer extends LinearLayer {
  readonly rank: number;
  /** By which the product of the two matrices is multiplied. */
  readonly scale: number;
}

/** The parameters' names of a layer's adapter, as PEFT has them: A is [R, I], B is [O, R]. */
export const adapterNames = (layer: string) => ({ a: `${layer}.lora_A.weight`, b: `${layer}.lora_B.weight` });

/** The parameter of the model beside which one of an adapter stands; any other name is its own. */
export const baseParameter = (name: string): string => name.replace(/\.lora_[AB]\.weight$/, '.weight');

/** What a layer's adapter is multiplied by. */
export function adapterScale({ rank, alpha, rankStabilized }: Omit<LoraSettings, 'targets'>): number {
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/**
 * The layers that get an adapter, in the model's order.
 *
 * @throws UsageError naming a target that fits no linear layer
 */
export function adaptedLayers(layers: readonly LinearLayer[], settings: LoraSettings): AdaptedLayer[] {
  const { rank, targets } = settings;
  const chosen = targets ? targetsOf(layers, targets) : new Set(layers);
  const scale = adapterScale(settings);
  return layers.filter((layer) => chosen.has(layer)).map((layer) => ({ ...layer, rank, scale }));
}

function targetsOf(layers: readonly LinearLayer[], targets: readonly string[]): ReadonlySet<LinearLayer> {
  const chosen = new Set<LinearLayer>();
  for (const text of targets.flatMap((one) => one.split(','))) {
    const pattern = new NamePattern(text.trim());
    const fitting = layers.filter(({ name }) => pattern.fits(name));
    if (fitting.length === 0)
      throw spelledError(UsageError, ({ option }) => {
        const kinds = [...new Set(layers.map(({ name }) => name.replace(/\.\d+\./, '.*.')))].join(', ');
        return (
          `${option('targets', text.trim())} fits none of the model's linear layers. A pattern stands for a whole name, or ` +
          `for its end after a dot; * is any characters. There are ${kinds}.`
        );
      });
    for (const layer of fitting) chosen.add(layer);
  }
  return chosen;
}

/** An adapter's parameters: A as PEFT starts it (uniform within 1/√I), B zero, so that at first the adapter adds nothing. */
export function adapterParameters(layers: readonly AdaptedLayer[]): ParameterSpec[] {
  return layers.flatMap(({ name, rank, inputs, outputs }) => {
    const { a, b } = adapterNames(name);
    return [
      { name: a, shape: [rank, inputs], initialization: { uniform: 1 / Math.sqrt(inputs) } },
      { name: b, shape: [outputs, rank], initialization: { fill: 0 } },
    ];
  });
}

/** What adapted layers compute beside their weights, from an input of their own dropout; `p` holds the adapter's parameters. */
export function adapterHook(p: TracedParameters, layers: readonly AdaptedLayer[]): LinearHook {
  const adapted = new Map(layers.map((layer) => [layer.name, layer]));
  return (name, x_NI, y_NO) => {
    const layer = adapted.get(name);
    if (!layer) return y_NO;
    const { a, b } = adapterNames(name);
    const u_NR = gemm(dropout(p, x_NI), p[a]!, undefined, { transB: true });
    return gemm(u_NR, p[b]!, y_NO, { transB: true, alpha: layer.scale });
  };
}
