/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major; C width of the model;
 * H heads (K of keys and values); D width of a head; M tokens of sources = S positions × B.
 */
import type { AttentionOptions, NoiseSource, Shape, Tensor } from '../graph/index.js';
import type { ParameterSpec } from './layout.js';
import type { TokenInputs } from './packing.js';
import type { RelativeBias } from './relative-bias.js';

/** A model's sizes in words that all families share; `config.json` keeps the family's own keys. */
export interface Dimensions {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  /** Heads of keys and values; fewer than `heads` where queries share them. */
  readonly keyValueHeads: number;
  /** The longest sequence, in tokens. */
  readonly context: number;
  readonly vocabulary: number;
}

/** How a layer's weight lies: a row for each output (PyTorch's Linear), or for each input (GPT-2's Conv1D). */
export type WeightRows = 'outputs' | 'inputs';

/**
 * What else a linear layer computes: given the layer's name, its input [N, I], its output [N, O] and how its weight lies,
 * the output that takes its place.
 */
export type LinearHook = (name: string, x_NI: Tensor, y_NO: Tensor, rows: WeightRows) => Tensor;

/** Under which traced parameters carry what their linear layers compute beside their weights. */
export const LINEAR = Symbol('linear');

/** What else an embedding computes: given its name, ids [N] and their rows [N, C], the rows that take their place. */
export type EmbeddingHook = (name: string, ids_N: Tensor, x_NC: Tensor) => Tensor;

/** Under which traced parameters carry what their embedding of tokens computes beside its rows. */
export const EMBEDDING = Symbol('embedding');

/** What activations of a shape are multiplied by in a step of training: the factors of dropout, anew for each place. */
export type DropoutHook = (shape: Shape) => Tensor;

/** Under which traced parameters carry what is dropped; in evaluation and generation they have none. */
export const DROPOUT = Symbol('dropout');

/**
 * What goes on in place of a hidden state [N, C] between layers: before block `layer`, and after the last one where that is
 * how many there are. Who cuts a model into its layers gives an input of the part that follows.
 */
export type LayerHook = (layer: number, x_NC: Tensor) => Tensor;

/** Under which traced parameters carry what stands between their layers. */
export const LAYER = Symbol('layer');

/** Products of linear layers in 8 bits, in a step of training alone. */
export interface Int8Hook {
  /** Random numbers for the rounding of so many probabilities in each of some rows, as `linearCrossEntropy` takes them. */
  readonly noise: NoiseSource;
}

/** Under which traced parameters carry that the products of their linear layers are in 8 bits. */
export const INT8 = Symbol('int8');

/** Parameters as traced tensors, by Hugging Face's names. */
export type TracedParameters = Readonly<Record<string, Tensor>> & {
  readonly [LINEAR]?: LinearHook;
  readonly [EMBEDDING]?: EmbeddingHook;
  readonly [DROPOUT]?: DropoutHook | undefined;
  readonly [INT8]?: Int8Hook | undefined;
  readonly [LAYER]?: LayerHook;
};

/** What a layer asks of attention beside the usual; whether it sees the past or all is the architecture's. */
export interface LayerAttention extends Omit<AttentionOptions, 'causal' | 'bias'> {
  readonly relative?: RelativeBias | undefined;
}

/**
 * What attention does inside a block is the caller's choice: training attends within the sequence, generation to a
 * cache as well. Takes queries [T, B, H, D], keys and values [T, B, K, D] of a layer; returns [T, B, H, D].
 */
export type Attend = (
  layer: number,
  q_TBHD: Tensor,
  k_TBKD: Tensor,
  v_TBKD: Tensor,
  options?: LayerAttention,
) => Tensor;

/**
 * How attention to a source is done, whose encoder's hidden states are the caller's: training makes keys and values of
 * them, generation has those from before.
 *
 * @param project keys and values [S, B, K, D] of the source's last hidden state [M, C]
 */
export type AttendSource = (
  layer: number,
  q_TBHD: Tensor,
  project: (x_MC: Tensor) => readonly [k_SBKD: Tensor, v_SBKD: Tensor],
  options?: LayerAttention,
) => Tensor;

/**
 * How far sequences may go, in tokens, where positions are followed beyond the context: there they are others, for the
 * tokens before it as well.
 */
export interface Reach {
  /** Sequences that are read as a whole. */
  readonly read: number;
  /** Sequences that are written token by token; where more than the context, what is cached is made anew beyond that. */
  readonly written: number;
}

/** What a forward pass is given; one object for all blocks, so that what they share is traced once. */
export interface ForwardInputs extends Pick<TokenInputs, 'types_N' | 'own_N'> {
  /** Token ids, time-major: element t · B + b. */
  readonly ids_N: Tensor;
  readonly batch: number;
  /**
   * The position of each time step, [T] int64, 0 … T − 1 where a sequence is one text; of models that see the past also of
   * each token, [N], where it holds several.
   */
  readonly positions_T: Tensor;
  readonly attend: Attend;
  /**
   * Tokens of the whole sequence, which a pass with a cache sees the end of. Up to the context positions are the same
   * whatever it is, so it is left out there.
   */
  readonly reach?: number | undefined;
  /** Of a model that reads a source beside what it writes. */
  readonly attendSource?: AttendSource | undefined;
}

/** What a head tells: the tokens that were masked, what a whole text is, what each token is, where an answer stands. */
export type HeadTask = 'masked' | 'sequence' | 'tokens' | 'span';

/** What a head's scores are made of, beside hidden states. */
export type HeadInputs = Pick<ForwardInputs, 'batch' | 'own_N'>;

/** What published files have on an encoder: parameters of its own, and what it makes of the last hidden state. */
export interface TaskHead<Config = unknown> {
  readonly task: HeadTask;
  /** Its parameters in the model's order. */
  parameters(config: Config): ParameterSpec[];
  /**
   * Its scores. Of a whole text: [B, labels], of all rows. Else one row a hidden state, which may be any of them: [M, V]
   * of the vocabulary, [M, labels], or [M, 2] that an answer begins and that it ends there.
   *
   * @param x_MC hidden states as `final` gives them
   */
  scores(config: Config, parameters: TracedParameters, x_MC: Tensor, inputs: HeadInputs): Tensor;
}

/** Layers, one behind the other: in parts, so that a layer can be run alone. */
export interface Stack<Config = unknown> {
  /** The hidden state before the first block: [N, C]. */
  embed(config: Config, parameters: TracedParameters, inputs: ForwardInputs): Tensor;
  /** The hidden state after block `layer`, counted from 0: [N, C]. */
  block(config: Config, parameters: TracedParameters, layer: number, x_NC: Tensor, inputs: ForwardInputs): Tensor;
  /** The last hidden state, normalised: [N, C]. */
  final(config: Config, parameters: TracedParameters, x_NC: Tensor): Tensor;
}

/**
 * Which parameters a model has, and how hidden states come of tokens: everything is a function of a validated
 * `config.json`. It knows no loss, and what attention sees is what it is given. Its own layers are those that are trained to
 * write, or to read where there are no others.
 */
export interface Architecture<Config = unknown> extends Stack<Config> {
  /** `model_type` in Hugging Face's `config.json`. */
  readonly name: string;
  /** @throws UsageError naming the key that is wrong, what it holds and what is allowed */
  parse(config: unknown): Config;
  /** The `config.json` of a model with these sizes. */
  configure(dimensions: Dimensions): Config;
  dimensions(config: Config): Dimensions;
  /** The context where left out. */
  reach?(config: Config): Reach;
  /** Parameters in the model's order, with their published initialisation; those of {@link heads} are not among them. */
  parameters(config: Config): ParameterSpec[];
  /** What attention lets a token see: itself and those before it, all, or the past and all of a source. */
  readonly sees: 'past' | 'all' | 'past and source';
  /** The layers that read a source, and how many they are; each token of it sees all others. */
  readonly encoder?: Stack<Config> & { layers(config: Config): number };
  /** The name of the parameter whose rows score the vocabulary's tokens, [V, C]. */
  head(config: Config): string;
  /**
   * Where heads stand on it, by how their class's name in `architectures` ends, such as `ForMaskedLM`; the first is
   * meant where none is named. Without any, the rows of {@link head} score the next token.
   */
  readonly heads?: Readonly<Record<string, TaskHead<Config>>>;
  /** What the head's scores x are bent to, c tanh(x / c); none where left out. */
  softcap?(config: Config): number | undefined;
}
