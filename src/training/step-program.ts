import { Random } from '../base/random.js';
import { arrayTypes, type Engine, type HostArray, type HostArrays } from '../engine/engine.js';
import {
  add,
  concat,
  div,
  dropoutFactors,
  encode,
  gradients,
  input,
  mul,
  type NoiseSource,
  type Program,
  reshape,
  sizeOf,
  split,
  type Tensor,
} from '../graph/index.js';
import { DROPOUT, type DropoutHook, INT8, type TracedParameters } from '../model/architecture.js';
import type { FrozenValues } from '../model/base-storage.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Objective, Scoring } from '../objectives/objective.js';
import type { HalfPrecision } from './precision-names.js';

/** What a trace needs to know of the engine. */
type Target = Pick<Engine, 'target' | 'views'>;

/** How a model's vectors are fed: as one view a parameter, or whole and cut inside the graph. */
const VECTOR = 'parameters';
const FROZEN = 'frozen';
const TEACHER = 'teacher';
const GRADIENT = 'gradient';
const SUM = 'sum';

function vectorInputs(layout: ParameterLayout, name: string, views: boolean): TracedParameters {
  if (views) return Object.fromEntries(layout.entries.map((e) => [e.name, input(`${name}/${e.name}`, e.shape)]));
  const parts = split(
    input(name, [layout.size]),
    0,
    layout.entries.map(({ size }) => size),
  );
  return Object.fromEntries(layout.entries.map((e, i) => [e.name, reshape(parts[i]!, e.shape)]));
}

/** Trained and frozen parameters, by their names. */
function parameterInputs({ layout, frozen, storage }: Objective<never>, views: boolean): TracedParameters {
  const trained = vectorInputs(layout, VECTOR, views);
  if (storage) return { ...trained, ...storage.traced(`${FROZEN}/`) };
  return frozen.size === 0 ? trained : { ...trained, ...vectorInputs(frozen, FROZEN, views) };
}

function vectorOutputs(layout: ParameterLayout, name: string, tensors: readonly Tensor[], views: boolean) {
  if (views) return Object.fromEntries(layout.entries.map((e, i) => [`${name}/${e.name}`, tensors[i]!]));
  const flat = tensors.map((tensor, i) => reshape(tensor, [layout.entries[i]!.size]));
  return { [name]: concat(flat, 0) };
}

/** A vector as the feeds or destinations of a program traced with the same `views`. */
export function vectorArrays(
  layout: ParameterLayout,
  name: 'parameters' | 'gradient' | 'sum' | typeof FROZEN | typeof TEACHER,
  vector: Float32Array,
  views: boolean,
): HostArrays {
  if (!views) return { [name]: vector };
  return Object.fromEntries(Object.entries(layout.views(vector)).map(([key, view]) => [`${name}/${key}`, view]));
}

/** What the inputs of frozen parameters are fed, in a program traced with the same `views`. */
export function frozenArrays({ frozen: layout }: Objective<never>, frozen: FrozenValues, views: boolean): HostArrays {
  if (frozen instanceof Float32Array) return vectorArrays(layout, FROZEN, frozen, views);
  return Object.fromEntries(Object.entries(frozen).map(([name, array]) => [`${FROZEN}/${name}`, array]));
}

/** What a teacher's inputs are fed, in a program of {@link traceGradient} with the same `views`. */
export function teacherArrays({ teaching }: Objective<never>, teacher: Float32Array, views: boolean): HostArrays {
  return teaching ? vectorArrays(teaching.layout, TEACHER, teacher, views) : {};
}

/** The arrays of a micro-batch of so many samples, to be filled and fed again and again. */
export function feedArrays(objective: Objective<never>, batch: number): Record<string, HostArray> {
  return Object.fromEntries(
    objective.feeds(batch).map(({ name, shape, dtype }) => [name, new arrayTypes[dtype](sizeOf(shape))]),
  );
}

function feedInputs(objective: Objective<never>, batch: number): Record<string, Tensor> {
  return Object.fromEntries(objective.feeds(batch).map(({ name, shape, dtype }) => [name, input(name, shape, dtype)]));
}

/** Under which random numbers for rounding are fed. */
export const NOISE = 'noise/';

/** Numbers for one place after another in the order of the trace, each an input of its own. */
function noiseSource(): NoiseSource {
  let places = 0;
  return (rows, columns) => input(`${NOISE}${places++}`, [rows, columns]);
}

/** Under which the numbers that decide what is dropped are fed. */
const DROPPED = 'dropout/';

/** Factors for one place after another in the order of the trace, each with inputs of its own. */
function dropoutHook(rate: number): DropoutHook {
  let places = 0;
  return (shape) => {
    const columns = shape.at(-1)!;
    const place = `${DROPPED}${places++}`;
    const numbers = (of: string, count: number) => input(`${place}/${of}`, [count], 'int32');
    return dropoutFactors(numbers('rows', sizeOf(shape) / columns), numbers('columns', columns), shape, rate);
  };
}

/** The arrays of numbers that decide what a program of {@link traceGradient} drops, to be filled and fed again and again. */
export function dropoutArrays({ inputs }: Program): Record<string, Int32Array> {
  const own = [...inputs].filter(([name]) => name.startsWith(DROPPED));
  return Object.fromEntries(own.map(([name, { shape }]) => [name, new Int32Array(sizeOf(shape))]));
}

/**
 * Fills those arrays. They follow from the counter alone, not from what was drawn before: so a run that is resumed drops
 * what it would have dropped.
 *
 * @param counter of the micro-batch: no other of the run has the same numbers
 */
export function fillDropout(
  arrays: Readonly<Record<string, Int32Array>>,
  seed: number,
  counter: readonly number[],
): void {
  for (const [name, numbers] of Object.entries(arrays)) {
    const random = new Random(seed, name, ...counter);
    for (let i = 0; i < numbers.length; i++) numbers[i] = random.uint32() | 1;
  }
}

/**
 * The loss of a micro-batch of so many samples. Inputs: the parameters, those that are frozen, and the arrays that the
 * objective feeds. Output: `loss`, the sum over targets divided by the objective's unit.
 */
export function traceLoss(objective: Objective<never>, batch: number, engine: Target): Program {
  const parameters = parameterInputs(objective, engine.views);
  const loss = objective.loss(parameters, feedInputs(objective, batch), batch);
  return encode({ loss }, engine.target);
}

/** What an objective's scoring reads of a micro-batch of so many samples. Inputs: as {@link traceLoss}. */
export function traceScores(
  objective: Objective<never>,
  { judge }: Scoring<never>,
  batch: number,
  engine: Target,
): Program {
  const parameters = parameterInputs(objective, engine.views);
  return encode(judge(parameters, feedInputs(objective, batch), batch), engine.target);
}

/** What a step's gradient is made with. */
export interface GradientOptions {
  /** Adds the input `sum`, a gradient to which this one is added. */
  readonly accumulate: boolean;
  /** Makes cheap activations again in the backward pass instead of keeping them. */
  readonly recompute: boolean;
  /** The share of activations that is dropped, by numbers that {@link fillDropout} feeds. */
  readonly dropout?: number | undefined;
  /** Products of linear layers in 8 bits, with numbers for their rounding that {@link RoundingNoise} feeds. */
  readonly int8?: boolean | undefined;
  /** Products of matrices in so many bits. In `fp16` the loss is multiplied by the input {@link LOSS_SCALE} on the way back. */
  readonly half?: HalfPrecision | undefined;
}

/** The number that keeps small gradients above what fp16 holds; the gradient that comes out is divided by it again. */
export const LOSS_SCALE = 'loss_scale';

/**
 * The loss and its gradient by the trained parameters: {@link traceLoss} with the output `gradient` beside it. Where the
 * objective has a teacher, it is the loss with the teacher's say in it.
 *
 */
export function traceGradient(
  objective: Objective<never>,
  batch: number,
  engine: Target,
  { accumulate, recompute, dropout = 0, int8 = false, half }: GradientOptions,
): Program {
  const { layout, teaching } = objective;
  const given = parameterInputs(objective, engine.views);
  const parameters: TracedParameters = {
    ...given,
    ...(dropout > 0 && { [DROPOUT]: dropoutHook(dropout) }),
    ...(int8 && { [INT8]: { noise: noiseSource() } }),
  };
  const feeds = feedInputs(objective, batch);
  const loss = teaching
    ? teaching.loss(parameters, feeds, batch, vectorInputs(teaching.layout, TEACHER, engine.views))
    : objective.loss(parameters, feeds, batch);
  const lossScale = half === 'fp16' ? input(LOSS_SCALE, []) : undefined;
  let gradient = gradients(
    lossScale ? mul(loss, lossScale) : loss,
    layout.entries.map(({ name }) => parameters[name]!),
  );
  // A power of two, so nothing is rounded; what became infinite stays so.
  if (lossScale) gradient = gradient.map((part) => div(part, lossScale));
  if (accumulate) {
    const sum = vectorInputs(layout, SUM, engine.views);
    gradient = gradient.map((part, i) => add(sum[layout.entries[i]!.name]!, part));
  }
  const outputs = { loss, ...vectorOutputs(layout, GRADIENT, gradient, engine.views) };
  return encode(outputs, engine.target, { products: half, ...(recompute && { recomputeAfter: 'loss' }) });
}
