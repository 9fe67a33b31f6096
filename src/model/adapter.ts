/*
 * LoRA (Hu et al. 2021, arXiv 2106.09685): beside a frozen layer W a product of two small matrices is trained,
 * y = x · Wᵀ + scale · (x · Aᵀ) · Bᵀ. An embedding is such a layer too, from tokens: W has a row for each input.
 * Shape suffixes: N rows; I values of a row that come in; O that go out; R the rank; V tokens of the
 * vocabulary; C the model's width.
 */
import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import { gather, gemm, type Tensor, transpose } from '../graph/index.js';
import type { EmbeddingHook, LinearHook, TracedParameters, WeightRows } from './architecture.js';
import { dropout } from './dropout.js';
import type { BaseDtype } from './family-names.js';
import type { ParameterSpec } from './layout.js';
import { NamePattern } from './name-patterns.js';
import type { SavedParameter } from './saved-modules.js';
import { type TokenRange, type TokenRows, withTokenRows } from './token-rows.js';

/** What PEFT and transformers call the head of a model that writes, one without a matrix of its own too. */
export const HEAD = 'lm_head';

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
  /** Patterns of the layers' names, embedding and head among them; left out, all linear layers but the head. */
  readonly targets?: readonly string[] | undefined;
  /** Patterns of modules that are trained whole beside it, in copies that count in their place; see `saved-modules.ts`. */
  readonly modulesToSave?: readonly string[] | undefined;
  /** Added tokens, whose rows in embedding and head are trained as well. */
  readonly tokens?: TokenRange | undefined;
}

/** A linear layer of a model, by the name that its `weight` and `bias` follow. */
export interface LinearLayer {
  readonly name: string;
  /** I and O. */
  readonly inputs: number;
  readonly outputs: number;
  readonly rows: WeightRows;
  /** Of the two that stand at the ends: tokens come in, or scores of tokens go out. */
  readonly role?: 'embedding' | 'head' | undefined;
}

/** A layer that may get an adapter. */
export interface AdaptableLayer extends LinearLayer {
  /** Whether its weight is both the embedding's and the head's. */
  readonly tied?: boolean | undefined;
}

/** A linear layer with an adapter; of one matrix that is both embedding and head, with one for both. */
export interface AdaptedLayer extends AdaptableLayer {
  readonly rank: number;
  /** By which the product of the two matrices is multiplied. */
  readonly scale: number;
}

/** The parameters' names of a layer's adapter, as PEFT has them: A is [R, I], B is [O, R]. */
export function adapterNames({ name, role }: Pick<LinearLayer, 'name' | 'role'>): { a: string; b: string } {
  return role === 'embedding'
    ? { a: `${name}.lora_embedding_A`, b: `${name}.lora_embedding_B` }
    : { a: `${name}.lora_A.weight`, b: `${name}.lora_B.weight` };
}

/** The parameter of the model beside which one of an adapter stands; any other name is its own. */
export const baseParameter = (name: string): string =>
  name
    .replace('.modules_to_save.', '.')
    .replace(/\.(?:lora_(?:[AB]\.weight|embedding_[AB])|token_adapter\.trainable_tokens_delta)$/, '.weight');

/** What a layer's adapter is multiplied by. */
export function adapterScale({
  rank,
  alpha,
  rankStabilized,
}: Pick<LoraSettings, 'rank' | 'alpha' | 'rankStabilized'>): number {
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/**
 * The layers that get an adapter, in the model's order.
 *
 * @param saved what is trained whole, and needs none
 * @throws UsageError naming a target that fits no linear layer, or when none is left
 */
export function adaptedLayers(
  layers: readonly AdaptableLayer[],
  settings: LoraSettings,
  saved: readonly SavedParameter[] = [],
): AdaptedLayer[] {
  const { rank, targets, tokens } = settings;
  const chosen = targets ? targetsOf(layers, targets) : new Set(layers.filter(({ role }) => role === undefined));
  const scale = adapterScale(settings);
  const whole = new Set(saved.map(({ name }) => name));
  const adapted = layers.filter((layer) => chosen.has(layer) && !whole.has(`${layer.name}.weight`));
  if (adapted.length === 0)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('modulesToSave')} names every layer that an adapter was to stand beside. Name others with ` +
        `${option('targets')}, or train parts of the model without an adapter: ${option('freeze')}.`,
    );
  const ends = layers.filter(({ role }) => role !== undefined);
  const both = ends.find(
    (end) => whole.has(`${end.name}.weight`) || (end.role === 'embedding' && adapted.includes(end)),
  );
  if (tokens && both)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `Rows of added tokens are trained by themselves beside an adapter, and ${both.name} by more than that. Leave ` +
        `${option('addTokens')} out, or ${both.name} out of ${option('targets')} and ${option('modulesToSave')}.`,
    );
  return adapted.map((layer) => ({ ...layer, rank, scale }));
}

/** A matrix that is both embedding and head is meant where it is named by either name, and not by what fits other layers too. */
function targetsOf(layers: readonly AdaptableLayer[], targets: readonly string[]): ReadonlySet<AdaptableLayer> {
  const chosen = new Set<AdaptableLayer>();
  for (const text of targets.flatMap((one) => one.split(','))) {
    const pattern = new NamePattern(text.trim());
    const fitting = layers.filter(({ name, tied }) => pattern.fits(name) || (tied && pattern.fits(HEAD)));
    if (fitting.length === 0)
      throw spelledError(UsageError, ({ option }) => {
        const kinds = [...new Set(layers.map(({ name }) => name.replace(/\.\d+\./, '.*.')))].join(', ');
        return (
          `${option('targets', text.trim())} fits none of the model's linear layers. A pattern stands for a whole name, or ` +
          `for its end after a dot; * is any characters. There are ${kinds}.`
        );
      });
    const others = fitting.filter(({ tied }) => !tied);
    for (const layer of others.length > 0 ? others : fitting) chosen.add(layer);
  }
  return chosen;
}

/**
 * An adapter's parameters, as PEFT starts them: A uniform within 1/√I, B zero; of an embedding A zero and B normal. At first
 * the adapter adds nothing.
 */
export function adapterParameters(layers: readonly AdaptedLayer[]): ParameterSpec[] {
  return layers.flatMap((layer) => {
    const { rank, inputs, outputs, role } = layer;
    const { a, b } = adapterNames(layer);
    const embeds = role === 'embedding';
    return [
      { name: a, shape: [rank, inputs], initialization: embeds ? { fill: 0 } : { uniform: 1 / Math.sqrt(inputs) } },
      { name: b, shape: [outputs, rank], initialization: embeds ? { normal: 1 } : { fill: 0 } },
    ];
  });
}

/** What adapted layers compute beside their weights, from an input of their own dropout; `p` holds the adapter's parameters. */
export function adapterHook(p: TracedParameters, layers: readonly AdaptedLayer[]): LinearHook {
  const adapted = new Map(layers.map((layer) => [layer.name, layer]));
  return (name, x_NI, y_NO) => {
    const layer = adapted.get(name);
    if (!layer) return y_NO;
    const { a, b } = adapterNames(layer);
    const u_NR = gemm(dropout(p, x_NI), p[a]!, undefined, { transB: true });
    return gemm(u_NR, p[b]!, y_NO, { transB: true, alpha: layer.scale });
  };
}

/** What an adapted embedding adds to the rows of tokens, or takes for those that are trained; nothing of it is dropped, as PEFT drops nothing there. */
export function embeddingHook(
  p: TracedParameters,
  layers: readonly AdaptedLayer[],
  tokenRows: readonly TokenRows[],
): EmbeddingHook {
  return (name, ids_N, x_NC) => {
    const rows = tokenRows.find((each) => each.name === name);
    if (rows) return gather(withTokenRows(p, rows), ids_N);
    const layer = layers.find((each) => each.role === 'embedding' && each.name === name);
    if (!layer) return x_NC;
    const { a, b } = adapterNames(layer);
    const u_NR = gather(transpose(p[a]!, [1, 0]), ids_N);
    return gemm(u_NR, p[b]!, x_NC, { transB: true, alpha: layer.scale });
  };
}

/** The head's weights [V, C] with its adapter, for losses that never hold all scores at once. */
export function adaptedHead(p: TracedParameters, layer: AdaptedLayer, weight_VC: Tensor): Tensor {
  const { a, b } = adapterNames(layer);
  // The embedding's matrices lie the other way: A [R, V] and B [C, R].
  if (layer.tied) return gemm(p[a]!, p[b]!, weight_VC, { transA: true, transB: true, alpha: layer.scale });
  return gemm(p[b]!, p[a]!, weight_VC, { alpha: layer.scale });
}

/** Scores [N, V] with what the head's adapter adds to them: far less work for few rows than {@link adaptedHead}. */
export function adaptedScores(p: TracedParameters, layer: AdaptedLayer, x_NC: Tensor, scores_NV: Tensor): Tensor {
  const { a, b } = adapterNames(layer);
  if (layer.tied) return gemm(gemm(x_NC, p[b]!), p[a]!, scores_NV, { alpha: layer.scale });
  return gemm(gemm(x_NC, p[a]!, undefined, { transB: true }), p[b]!, scores_NV, { transB: true, alpha: layer.scale });
}
