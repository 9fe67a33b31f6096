import { findMixture } from '../catalogue/models.js';
import { transformer } from '../catalogue/parameters.js';
import type { Workload } from '../types.js';
import type { Fields } from './fields.js';

/** Families with gated feed-forward parts, RMSNorm and rotary positions, by words in their names. */
const gated = /llama|mistral|mixtral|qwen|gemma|deepseek|olmo|yi-|phi-3|palm|internlm|baichuan/i;

/** Largest counts that a description may have: beyond these a cell is taken as not filled in. */
const MOST_LAYERS = 1e5;
const MOST_HIDDEN = 1e7;

/** Width per layer of large GPT models (GPT-3 175B: 12,288 / 96; arXiv 2005.14165, table 2.1). */
const ASPECT = 128;

/**
 * The model of a row. What is not printed is assumed and noted: layers and width from the count of parameters
 * (12·l·h², width 128 times the layers), heads of 128, an inner width of 4·h, GPT-2's vocabulary.
 *
 * @returns undefined where not even the parameters are known
 */
export function workloadOf(fields: Fields, sequence: number): Workload | undefined {
  const name = fields.text('model').slice(0, 200);
  const mixture = findMixture(name);
  // A cut-down one is described by its own figures alone.
  if (mixture && (fields.count('layers', MOST_LAYERS) ?? mixture.layers) === mixture.layers) return mixture;
  const billions = fields.number('params_B');
  const parameters = billions !== undefined && billions < 1e6 ? billions * 1e9 : undefined;
  let layers = fields.count('layers', MOST_LAYERS);
  let hidden = fields.count('hidden', MOST_HIDDEN);
  if (layers === undefined && hidden === undefined) {
    if (parameters === undefined) return undefined;
    layers = fields.assume('layers', Math.max(1, Math.round((parameters / (12 * ASPECT * ASPECT)) ** (1 / 3))));
  }
  if (hidden === undefined) {
    const width = parameters === undefined ? ASPECT * layers! : Math.sqrt(parameters / (12 * layers!));
    hidden = fields.assume('hidden', Math.max(128, Math.round(width / 128) * 128));
  }
  if (layers === undefined) {
    const depth = parameters === undefined ? hidden / ASPECT : parameters / (12 * hidden * hidden);
    layers = fields.assume('layers', Math.max(1, Math.round(depth)));
  }
  const heads = headsOf(fields, hidden);
  const feedForward = fields.count('ffn', MOST_HIDDEN) ?? fields.assume('ffn', 4 * hidden);
  const vocabulary = fields.count('vocab', MOST_HIDDEN) ?? fields.assume('vocab', 50257);
  const keyValueHeads = Math.min(heads, fields.count('kv_heads', MOST_HIDDEN) ?? heads);
  const isBert = /bert/i.test(name);
  const isGated = gated.test(name);
  const isMpt = /\bmpt\b|^mpt/i.test(name);
  const shape = {
    name: name || 'unnamed',
    family: isGated ? 'llama' : isBert ? 'bert' : 'gpt2',
    layers,
    hidden,
    heads,
    keyValueHeads,
    headSize: hidden / heads,
    feedForward,
    vocabulary,
    context: sequence,
    biases: !isGated && !isMpt,
    positions: isGated ? ('rotary' as const) : ('learned' as const),
    causal: !isBert,
  };
  return transformer({ ...shape, feedForwardMatrices: isGated ? 3 : 2, tiedHead: !isGated });
}

/** Heads of 128, or of 64 under a width of 1,024, in a number that divides the width. */
function headsOf(fields: Fields, hidden: number): number {
  const given = fields.count('heads', MOST_HIDDEN);
  if (given !== undefined && given <= hidden) return given;
  let heads = Math.max(1, Math.round(hidden / (hidden < 1024 ? 64 : 128)));
  while (hidden % heads !== 0) heads--;
  return fields.assume('heads', heads);
}
