import { UsageError } from '../../base/errors.js';
import { type ShapeDimensions, transformer } from '../catalogue/parameters.js';
import type { Workload } from '../types.js';

/** Below this the embedding is most of the model; above, no one has thought of any. */
const FEWEST = 1e6;
const MOST = 1e18;

/**
 * A GPT-3-like model of about so many parameters (to a few per cent from ten million on): 128 of width for each layer
 * (64 below a billion, as in table 2.1 of arXiv 2005.14165), heads of 128 (64), four times the width inside, a tied
 * head. From a billion on, layers and heads come in eights, so that they can be split over devices. The loss depends
 * little on the shape (arXiv 2001.08361, figure 5).
 *
 * @throws UsageError below a million parameters, and beyond any brain
 */
export function shapeOf(parameters: number, { context = 2048, vocabulary = 50_257 } = {}): Workload {
  if (!(parameters >= FEWEST && parameters <= MOST))
    throw new UsageError(
      `A model can be laid out for ${FEWEST.toExponential()} to ${MOST.toExponential()} parameters; got ${parameters}.`,
    );
  const large = parameters >= 1e9;
  const [aspect, headSize, unit] = large ? [128, 128, 8] : parameters < 3e7 ? [64, 16, 1] : [64, 64, 1];
  // From 12·h²·L = P with h = aspect·L.
  const ideal = Math.cbrt(parameters / (12 * aspect * aspect));
  const least = Math.max(1, Math.floor((0.6 * ideal) / unit));
  const most = Math.max(least, Math.ceil((1.6 * ideal) / unit));
  const width = (layers: number): number => {
    // 12·L·h² + (V + T)·h = P, solved for h.
    const linear = vocabulary + context;
    const h = (Math.sqrt(linear * linear + 48 * layers * parameters) - linear) / (24 * layers);
    return headSize * unit * Math.max(1, Math.round(h / (headSize * unit)));
  };
  // A size that is missed by 1 % weighs as much as proportions that are missed by 10 %.
  const cost = (w: Workload): number =>
    Math.abs(Math.log(w.parameters / parameters)) + 0.1 * Math.abs(Math.log(w.hidden / w.layers / aspect));
  return Array.from({ length: Math.min(most - least + 1, 2000) }, (_, i) => {
    const layers = unit * (least + i);
    return gpt(parameters, layers, width(layers) / headSize, headSize, context, vocabulary);
  }).reduce((best, w) => (cost(w) < cost(best) ? w : best));
}

function gpt(
  parameters: number,
  layers: number,
  heads: number,
  headSize: number,
  context: number,
  vocabulary: number,
): Workload {
  const hidden = heads * headSize;
  const dimensions: ShapeDimensions = {
    name: `gpt-${shortCount(parameters)}`,
    family: 'gpt2',
    layers,
    hidden,
    heads,
    keyValueHeads: heads,
    headSize,
    feedForward: 4 * hidden,
    feedForwardMatrices: 2,
    vocabulary,
    context,
    tiedHead: true,
    biases: true,
    positions: 'learned',
    causal: true,
  };
  return transformer(dimensions);
}

/** A count as names of models have it, to three digits: `50.5b`; thousands of trillions stay trillions. */
function shortCount(parameters: number): string {
  const rounded = Number(parameters.toPrecision(3));
  const [unit, letter] = rounded >= 1e12 ? [1e12, 't'] : rounded >= 1e9 ? [1e9, 'b'] : [1e6, 'm'];
  return `${Number((rounded / unit).toPrecision(3))}${letter}`;
}
