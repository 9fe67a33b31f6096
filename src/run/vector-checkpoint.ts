import type { JsonValue } from '../base/json.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Moment } from '../training/moments.js';
import { type Checkpoint, saveCheckpoint } from './checkpoint.js';
import { checkpointMetadata, type FrozenPart, requireFrozenOf } from './frozen-part.js';
import { modelTensors } from './model-tensors.js';
import { momentTensors } from './moment-tensors.js';

/** What a run goes on from: the trained parameters, what else is as long as they are, and where it stands. */
export interface VectorCheckpoint {
  readonly parameters: Float32Array;
  /** Moments and momenta, by their names. */
  readonly others: ReadonlyMap<string, Moment>;
  readonly state: JsonValue;
}

/**
 * Saves vectors of a layout, and the state, as the checkpoint of a step.
 *
 * @param layout of the trained parameters
 * @param frozen what they are trained beside, which is not saved again
 */
export async function saveVectors(
  checkpoints: string,
  step: number,
  layout: ParameterLayout,
  { parameters, others, state }: VectorCheckpoint,
  { keep, frozen }: { readonly keep: number; readonly frozen?: FrozenPart | undefined },
): Promise<void> {
  const optimizer = [...others].flatMap(([name, moment]) => momentTensors(name, moment));
  const content = { model: modelTensors(layout, parameters), optimizer, state, metadata: checkpointMetadata(frozen) };
  await saveCheckpoint(checkpoints, step, content, { keep });
}

/**
 * The vectors that {@link saveVectors} saved.
 *
 * @param names of those beside the parameters
 * @throws MeanfieldError when one is not there, or they were trained beside other frozen parameters
 */
export async function readVectors(
  checkpoint: Checkpoint,
  layout: ParameterLayout,
  names: readonly string[],
  frozen?: FrozenPart,
): Promise<{ readonly parameters: Float32Array; readonly others: ReadonlyMap<string, Float32Array> }> {
  requireFrozenOf(checkpoint, frozen);
  const parameters = new Float32Array(layout.size);
  await checkpoint.model.fill(modelTensors(layout, parameters));
  const others = new Map<string, Float32Array>();
  for (const name of names)
    others.set(name, await checkpoint.optimizer.readFloat32(name, new Float32Array(layout.size)));
  return { parameters, others };
}
