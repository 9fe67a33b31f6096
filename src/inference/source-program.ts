/*
 * Shape suffixes: S slots of a source, M its tokens, one sequence; H heads; D width of a head; T new tokens of what is written.
 */
import { attention, constant, encode, input, type Program, type Target, type Tensor } from '../graph/index.js';
import type { Attend, AttendSource } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import { filledMask } from '../model/packing.js';

/**
 * A source, read once: what each layer that writes attends to of it.
 *
 * Inputs: the parameters; `source` [S] int64; `own` [S], 1 for its tokens and 0 for what fills its slots up.
 * Outputs: `source_keys.i` and `source_values.i` [S, 1, H, D] for each layer.
 */
export function traceSource(model: Model, slots: number, target: Target): Program {
  const parameters = model.parameterInputs();
  const source = { ids_N: input('source', [slots], 'int64'), length: slots, own_N: input('own', [slots]) };
  const x_MC = model.encode(parameters, source, 1);
  const outputs: Record<string, Tensor> = {};
  // Of the layers that write, what comes of the source alone is kept.
  const one = constant(BigInt64Array.of(0n), [1]);
  const attend: Attend = (_layer, q) => q;
  const attendSource: AttendSource = (layer, q, project) => {
    const [k, v] = project(x_MC);
    outputs[`source_keys.${layer}`] = k;
    outputs[`source_values.${layer}`] = v;
    return q;
  };
  model.forward(parameters, { ids_N: one, batch: 1, positions_T: one, attend, attendSource });
  return encode(outputs, target);
}

/** Attention of T new tokens to what {@link traceSource} kept: inputs of the same names, and `own` [S]. */
export function attendKept(slots: number, tokens: number): AttendSource {
  const mask_11TS = filledMask(input('own', [slots]), 1, slots, tokens);
  return (layer, q_T1HD, _project, options) => {
    const [, , H, D] = q_T1HD.shape as [number, number, number, number];
    const kept = (name: string) => input(`${name}.${layer}`, [slots, 1, H, D]);
    const { relative: _none, ...scoring } = options ?? {};
    return attention(q_T1HD, kept('source_keys'), kept('source_values'), { ...scoring, causal: false }, mask_11TS);
  };
}
