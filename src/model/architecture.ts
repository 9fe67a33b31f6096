/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major; C width of the model;
 * H heads (K of keys and values); D width of a head.
 */
import type { Tensor } from '../graph/index.js';
import type { ParameterSpec } from './layout.js';

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

/** Parameters as traced tensors, by Hugging Face's names. */
export type TracedParameters = Readonly<Record<string, Tensor>>;

/**
 * What attention does inside a block is the caller's choice: training attends within the sequence, generation to a
 * cache as well. Takes queries [T, B, H, D], keys and values [T, B, K, D] of a layer; returns [T, B, H, D].
 */
export type Attend = (layer: number, q_TBHD: Tensor, k_TBKD: Tensor, v_TBKD: Tensor) => Tensor;

/** What a forward pass is given; one object for all blocks, so that what they share is traced once. */
export interface ForwardInputs {
  /** Token ids, time-major: element t · B + b. */
  readonly ids_N: Tensor;
  readonly batch: number;
  /** The position of each time step, [T] int64; 0 … T − 1 in training. */
  readonly positions_T: Tensor;
  readonly attend: Attend;
}

/**
 * Which parameters a model has, and how hidden states come of tokens: everything is a function of a validated
 * `config.json`. It knows no loss, and what attention sees is what it is given. In parts, so that a layer can be run
 * alone.
 */
export interface Architecture<Config = unknown> {
  /** `model_type` in Hugging Face's `config.json`. */
  readonly name: string;
  /** @throws UsageError naming the key that is wrong, what it holds and what is allowed */
  parse(config: unknown): Config;
  /** The `config.json` of a model with these sizes. */
  configure(dimensions: Dimensions): Config;
  dimensions(config: Config): Dimensions;
  /** Parameters in the model's order, with their published initialisation. */
  parameters(config: Config): ParameterSpec[];
  /** The hidden state before the first block: [N, C]. */
  embed(config: Config, parameters: TracedParameters, inputs: ForwardInputs): Tensor;
  /** The hidden state after block `layer`, counted from 0: [N, C]. */
  block(config: Config, parameters: TracedParameters, layer: number, x_NC: Tensor, inputs: ForwardInputs): Tensor;
  /** The last hidden state, normalised: [N, C]. */
  final(config: Config, parameters: TracedParameters, x_NC: Tensor): Tensor;
  /** What attention lets a token see: itself and those before it, or all. */
  readonly sees: 'past' | 'all';
  /** The name of the parameter whose rows score the vocabulary's tokens, [V, C]. */
  head(config: Config): string;
  /** Scores of every token of the vocabulary, [M, V], from hidden states [M, C], where they are more than those rows give. */
  logits?(config: Config, parameters: TracedParameters, x_MC: Tensor): Tensor;
}
