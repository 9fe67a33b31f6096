import type { Engine, HostArrays } from '../engine/engine.js';
import { add, concat, encode, gradients, input, type Program, reshape, split, type Tensor } from '../graph/index.js';
import type { TracedParameters } from '../model/family.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Model } from '../model/model.js';

/** The size of one run of a graph: `batch` sequences of `length` tokens. */
export interface MicroBatch {
  readonly batch: number;
  readonly length: number;
}

/** What a trace needs to know of the engine. */
type Target = Pick<Engine, 'target' | 'views'>;

/** How a model's vector is fed: as one view a parameter, or whole and cut inside the graph. */
const VECTOR = 'parameters';
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

function vectorOutputs(layout: ParameterLayout, name: string, tensors: readonly Tensor[], views: boolean) {
  if (views) return Object.fromEntries(layout.entries.map((e, i) => [`${name}/${e.name}`, tensors[i]!]));
  const flat = tensors.map((tensor, i) => reshape(tensor, [layout.entries[i]!.size]));
  return { [name]: concat(flat, 0) };
}

/** A vector as the feeds or destinations of a program traced with the same `views`. */
export function vectorArrays(
  layout: ParameterLayout,
  name: 'parameters' | 'gradient' | 'sum',
  vector: Float32Array,
  views: boolean,
): HostArrays {
  if (!views) return { [name]: vector };
  return Object.fromEntries(Object.entries(layout.views(vector)).map(([key, view]) => [`${name}/${key}`, view]));
}

function tokenInputs({ batch, length }: MicroBatch) {
  return [input('ids', [batch * length], 'int64'), input('targets', [batch * length], 'int64')] as const;
}

/**
 * The loss of a micro-batch. Inputs: the parameters, `ids` and `targets` [batch · length] int64, time-major.
 * Output: `loss`, the mean in nats per token.
 */
export function traceLoss(model: Model, { batch, length }: MicroBatch, engine: Target): Program {
  const parameters = vectorInputs(model.layout, VECTOR, engine.views);
  const [ids, targets] = tokenInputs({ batch, length });
  return encode({ loss: model.loss(parameters, ids, targets, batch, length) }, engine.target);
}

/**
 * The loss and its gradient: {@link traceLoss} with the output `gradient` beside it.
 *
 * @param accumulate adds the input `sum`, a gradient to which this one is added
 * @param recompute makes cheap activations again in the backward pass instead of keeping them
 */
export function traceGradient(
  model: Model,
  size: MicroBatch,
  engine: Target,
  { accumulate, recompute }: { accumulate: boolean; recompute: boolean },
): Program {
  const { layout } = model;
  const parameters = vectorInputs(layout, VECTOR, engine.views);
  const [ids, targets] = tokenInputs(size);
  const loss = model.loss(parameters, ids, targets, size.batch, size.length);
  let gradient = gradients(
    loss,
    layout.entries.map(({ name }) => parameters[name]!),
  );
  if (accumulate) {
    const sum = vectorInputs(layout, SUM, engine.views);
    gradient = gradient.map((part, i) => add(sum[layout.entries[i]!.name]!, part));
  }
  const outputs = { loss, ...vectorOutputs(layout, GRADIENT, gradient, engine.views) };
  return encode(outputs, engine.target, recompute ? { recomputeAfter: 'loss' } : {});
}
