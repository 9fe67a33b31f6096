/*
 * Shape suffixes: B texts of T tokens, N of all of them; I values of a row that come into a layer; O that go out.
 */
import { Random } from '../base/random.js';
import type { Engine, SessionOptions } from '../engine/engine.js';
import { isInt8Exact } from '../engine/int8-probe.js';
import {
  abs,
  add,
  encodeAnySize,
  input,
  mul,
  type Node,
  productOfRows,
  quantizeRows,
  reduceMax,
  replaceNodes,
  type Target,
  type Tensor,
} from '../graph/index.js';
import type { SentenceModules } from '../hub/sentence-folder.js';
import type { WeightPlace } from '../model/block-weights.js';
import type { Model } from '../model/model.js';
import { embedsFused, FUSED_SIZES, fusedHiddenStates, tokenFeeds } from './fused-encoder.js';
import { CODES, nameOf, placeOf, productWeight, SCALES, shapedParameters } from './weights.js';

/** Behind the names of layers: by what is multiplied what they take in. */
const FACTORS = '.factors';
const MOST = '.most';
/** Weights of so many inputs share a scale of an output: with one for all 1,536 of MiniLM's a quarter more is lost. */
const BLOCK = 384;
/** Texts to look at, and their tokens: any tokens will do, as what differs are channels. */
const [TEXTS, TOKENS] = [8, 32] as const;
/** What a GELU gives is nowhere below this. */
const GELU_LEAST = -0.17;
/** Nothing is divided by less. */
const LEAST = 1e-5;
/** What gives rows in which some channels are always far larger than others. */
const NORMS = new Set(['layerNorm', 'rmsNorm']);

/** Layers that take the same in. */
interface Group {
  readonly name: string;
  readonly weights: readonly (WeightPlace & { readonly name: string })[];
  readonly inputs: number;
  /** Whether channels of what comes in are brought nearer to each other. */
  readonly smoothed: boolean;
}

/** The weights of an encoder in 8 bits, for {@link codedProducts}. */
export interface EncoderCodes {
  /** Constants of the graph. */
  readonly constants: ReadonlyMap<string, Float32Array | Int8Array>;
  /** All other parameters. */
  readonly fed: Readonly<Record<string, Float32Array>>;
  /** By the names of weights. */
  readonly groups: ReadonlyMap<string, Group>;
}

/** Whether a model can have its weights in codes, exactly, for vectors of texts. */
export async function canHaveCodes(engine: Engine, model: Model, sentence: SentenceModules): Promise<boolean> {
  const reads = model.taskHead?.task !== 'sequence' && embedsFused(model, sentence);
  return reads && engine.compileAnySize !== undefined && (await isInt8Exact(engine));
}

/**
 * Rounds the weights of an encoder's layers to 8 bits, each output with a scale of its own. Where a norm gives what comes in,
 * some channels are far larger than others, so that little would be left of those: half of the difference is moved into the
 * weights (SmoothQuant, Xiao et al. 2022, arXiv 2211.10438, equation 4 with α = ½), as a few texts of random tokens tell.
 *
 * @param parameters by name; not kept
 */
export async function encoderCodes(
  engine: Engine,
  model: Model,
  parameters: Readonly<Record<string, Float32Array>>,
  compile: SessionOptions = {},
): Promise<EncoderCodes> {
  const groups = groupsOf(model);
  const most = await largestInputs(engine, model, parameters, groups, compile);
  const constants = new Map<string, Float32Array | Int8Array>();
  for (const { name, weights, inputs, smoothed } of groups) {
    const factors_I = new Float32Array(inputs).fill(1);
    if (smoothed) {
      const largest_I = new Float32Array(inputs);
      for (const weight of weights) raiseToLargest(largest_I, parameters[weight.name]!, weight);
      for (let i = 0; i < inputs; i++)
        factors_I[i] = Math.sqrt(Math.max(LEAST, largest_I[i]!) / Math.max(LEAST, most.get(name)![i]!));
      constants.set(name + FACTORS, factors_I);
    }
    for (const weight of weights) {
      for (const [b, { from, to }] of blocksOf(inputs).entries()) {
        const { codes, scales } = rounded(parameters[weight.name]!, weight, factors_I, { from, to });
        constants.set(codesOf(weight.name, b), codes);
        constants.set(scalesOf(weight.name, b), scales);
      }
    }
  }
  const coded = new Set(groups.flatMap(({ weights }) => weights.map(({ name }) => name)));
  // A view would hold on to the vector of all parameters.
  const fed = Object.entries(parameters).flatMap(([name, values]) => (coded.has(name) ? [] : [[name, values.slice()]]));
  return {
    constants,
    fed: Object.fromEntries(fed),
    groups: new Map(groups.flatMap((group) => group.weights.map(({ name }) => [name, group]))),
  };
}

/** A graph's nodes whose weights are in codes, for `replaceNodes`. */
export function codedProducts({ groups }: EncoderCodes) {
  // By what comes in, which several layers share.
  const rows = new Map<Tensor, ReturnType<typeof quantizeRows>>();
  return (node: Node, [x, , bias]: readonly Tensor[]): readonly Tensor[] | undefined => {
    const name = nameOf(productWeight(node));
    const group = groups.get(name);
    if (group === undefined) return undefined;
    const { inputs: I } = group;
    const O = node.outputs[0]!.shape[1]!;
    const known = rows.get(x!) ?? codesOfRows(x!, group);
    rows.set(x!, known);
    const weights = blocksOf(I).map(({ from, to }, b) => ({
      codes: input(codesOf(name, b), [to - from, O], 'int8'),
      scales: input(scalesOf(name, b), [O]),
    }));
    const product = productOfRows(known, weights);
    return [bias ? add(product, bias) : product];
  };
}

function codesOfRows(x: Tensor, { name, inputs, smoothed }: Group) {
  if (smoothed) return quantizeRows(mul(x, input(name + FACTORS, [inputs])));
  return quantizeRows(x, x.node.operator.name === 'fusedGelu' ? GELU_LEAST : undefined);
}

/** Of the values that come into a layer those that share a scale of an output. */
const blocksOf = (inputs: number) =>
  Array.from({ length: Math.ceil(inputs / BLOCK) }, (_, b) => ({
    from: b * BLOCK,
    to: Math.min(inputs, (b + 1) * BLOCK),
  }));

const codesOf = (name: string, block: number) => `${name}${CODES}.${block}`;
const scalesOf = (name: string, block: number) => `${name}${SCALES}.${block}`;

function groupsOf(model: Model): Group[] {
  const byInput = new Map<Tensor, Node[]>();
  replaceNodes([fusedHiddenStates(model, { texts: 1, tokens: 1 })], (node) => {
    const { alpha, beta } = node.attributes as { alpha?: number; beta?: number };
    if (!productWeight(node) || alpha !== 1 || (node.inputs[2] && beta !== 1)) return undefined;
    byInput.set(node.inputs[0]!, [...(byInput.get(node.inputs[0]!) ?? []), node]);
    return undefined;
  });
  const groups = [...byInput].map(
    ([x, nodes]): Group => ({
      name: nodes.map((node) => nameOf(node.inputs[1])).join('+'),
      weights: nodes.map((node) => ({ name: nameOf(node.inputs[1]), ...placeOf(node) })),
      inputs: x.shape[1]!,
      smoothed: NORMS.has(x.node.operator.name),
    }),
  );
  const uses = new Map<string, number>();
  for (const { name } of groups.flatMap((group) => group.weights)) uses.set(name, (uses.get(name) ?? 0) + 1);
  // What several layers share would need the factors of each.
  return groups.filter(({ weights }) => weights.every(({ name }) => uses.get(name) === 1));
}

/** The largest |x| of each channel that comes into a group, [I], by its name. */
async function largestInputs(
  engine: Engine,
  model: Model,
  parameters: Readonly<Record<string, Float32Array>>,
  groups: readonly Group[],
  compile: SessionOptions,
): Promise<ReadonlyMap<string, Float32Array>> {
  const smoothed = groups.filter((group) => group.smoothed);
  const first = new Map(smoothed.map(({ name, weights }) => [weights[0]!.name, name]));
  const most = new Map(smoothed.map(({ name, inputs }) => [name, new Float32Array(inputs)]));
  const trace = (target: Target) =>
    encodeAnySize(
      FUSED_SIZES,
      (sizes) => {
        const outputs: Record<string, Tensor> = {};
        replaceNodes([fusedHiddenStates(model, sizes)], (node, [x]) => {
          const name = first.get(nameOf(productWeight(node)));
          if (name !== undefined) outputs[name + MOST] = reduceMax(abs(x!), [0]);
          return undefined;
        });
        return outputs;
      },
      target,
    );
  const random = new Random(1, 'texts to look at');
  const ids = Array.from({ length: TEXTS }, () =>
    Int32Array.from({ length: Math.min(TOKENS, model.dimensions.context) }, () =>
      random.below(model.dimensions.vocabulary),
    ),
  );
  const session = await engine.compileAnySize!(trace(engine.target), { spinning: false, ...compile });
  try {
    await session.run(
      { ...shapedParameters(model, parameters), ...tokenFeeds(ids, ids[0]!.length) },
      Object.fromEntries([...most].map(([name, data]) => [name + MOST, { data, shape: [data.length] }])),
    );
  } finally {
    await session.dispose();
  }
  return most;
}

/** From one value of a weight to the next of the same output, and of the same input. */
const strides = ({ inputs, outputs, rows }: WeightPlace) =>
  rows === 'outputs' ? { input: 1, output: inputs } : { input: outputs, output: 1 };

function raiseToLargest(largest_I: Float32Array, values: Float32Array, place: WeightPlace): void {
  const step = strides(place);
  for (let o = 0; o < place.outputs; o++)
    for (let i = 0; i < place.inputs; i++)
      largest_I[i] = Math.max(largest_I[i]!, Math.abs(values[o * step.output + i * step.input]!));
}

/** Codes [I, O] of w / factors for some of the inputs, with scales [O]. */
function rounded(
  values: Float32Array,
  place: WeightPlace,
  factors_I: Float32Array,
  { from, to }: { readonly from: number; readonly to: number },
) {
  const { outputs: O } = place;
  const step = strides(place);
  const codes = new Int8Array((to - from) * O);
  const scales = new Float32Array(O);
  for (let o = 0; o < O; o++) {
    const at = (i: number) => values[o * step.output + i * step.input]! / factors_I[i]!;
    let most = LEAST / 127;
    for (let i = from; i < to; i++) most = Math.max(most, Math.abs(at(i)));
    scales[o] = most / 127;
    for (let i = from; i < to; i++) codes[(i - from) * O + o] = Math.round(at(i) / scales[o]!);
  }
  return { codes, scales };
}
