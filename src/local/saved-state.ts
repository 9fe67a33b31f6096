import { z } from 'zod';
import { MeanfieldError } from '../base/errors.js';
import { firstIssue } from '../base/first-issue.js';
import type { ParameterLayout } from '../model/layout.js';
import { type Checkpoint, saveCheckpoint } from '../run/checkpoint.js';
import { checkpointMetadata, type FrozenPart, requireFrozenOf } from '../run/frozen-part.js';
import { modelTensors } from '../run/model-tensors.js';
import { timedRoundSchema } from '../run/timed-rounds.js';
import type { Moments, TeamState } from './team.js';

const count = z.int().nonnegative();

/** Where a run stands, beside its vectors: the state in a checkpoint's `state.json`. */
const progressSchema = z.strictObject({
  /** Inner steps done, per replica. */
  step: count,
  /** Over all replicas; of a model of one's own, samples. */
  tokens: count,
  /** Spent since the first step, over all processes. */
  seconds: z.number().nonnegative(),
  /** Of the last report; null before the first. */
  train_loss: z.number().nullable(),
  /** The last evaluation. */
  val_loss: z.number().nullable(),
  best_val_loss: z.number().nullable(),
  // Runs of earlier versions have none of these.
  /** Of the best evaluation, with the training loss then. */
  best_step: count.nullable().default(null),
  best_train_loss: z.number().nullable().default(null),
  /** Evaluations since the best. */
  since_best: count.default(0),
  /** Whether it was told that the model learns its text by heart. */
  told_overfitting: z.boolean().default(false),
  /** Steps that no line of `metrics.jsonl` tells of yet. */
  pending: z.array(z.strictObject({ step: count, loss: z.number(), gradientNorm: z.number() })),
  /** Rounds of a run by time of which no line tells yet. */
  pending_rounds: z.array(timedRoundSchema).default([]),
});

const stateSchema = z.strictObject({
  ...progressSchema.shape,
  round: count,
  samplers: z
    .array(
      z.strictObject({
        microBatches: count,
        order: z.record(z.string(), z.number()),
      }),
    )
    .min(1),
});

/** Where a run stands, beside its vectors. */
export type Progress = z.infer<typeof progressSchema>;

/** Where a run stands, with its vectors. */
export interface SavedState {
  readonly progress: Progress;
  readonly team: TeamState;
}

/** The progress of a run before its first step. */
export const NO_PROGRESS: Progress = {
  step: 0,
  tokens: 0,
  seconds: 0,
  train_loss: null,
  val_loss: null,
  best_val_loss: null,
  best_step: null,
  best_train_loss: null,
  since_best: 0,
  told_overfitting: false,
  pending: [],
  pending_rounds: [],
};

/**
 * Saves everything that a run needs to go on, but for what is frozen.
 *
 * @param layout of the trained parameters
 */
export async function saveState(
  checkpoints: string,
  layout: ParameterLayout,
  progress: Progress,
  team: TeamState,
  keep: number,
  frozen?: FrozenPart,
): Promise<void> {
  const shape = [layout.size];
  const optimizer = team.moments.flatMap(({ moment1, moment2 }, i) => [
    { name: momentName(1, i, team.moments.length), shape, data: moment1 },
    { name: momentName(2, i, team.moments.length), shape, data: moment2 },
  ]);
  if (team.outerMomentum) optimizer.push({ name: 'outer_momentum', shape, data: team.outerMomentum });
  const state = { ...progress, round: team.round, samplers: team.samplers.map((sampler) => ({ ...sampler })) };
  const model = modelTensors(layout, team.parameters);
  const content = { model, optimizer, state, metadata: checkpointMetadata(frozen) };
  await saveCheckpoint(checkpoints, progress.step, content, { keep });
}

/**
 * What {@link saveState} saved.
 *
 * @throws MeanfieldError when the checkpoint is of another kind of run, or was trained beside other frozen parameters
 */
export async function loadState(
  checkpoint: Checkpoint,
  layout: ParameterLayout,
  frozen?: FrozenPart,
): Promise<SavedState> {
  requireFrozenOf(checkpoint, frozen);
  const parsed = stateSchema.safeParse(checkpoint.state);
  if (!parsed.success) {
    throw new MeanfieldError(`${checkpoint.path}/state.json is not the state of a run: ${firstIssue(parsed.error)}.`);
  }
  const { round, samplers, ...progress } = parsed.data;
  const parameters = new Float32Array(layout.size);
  await checkpoint.model.fill(modelTensors(layout, parameters));
  const { optimizer } = checkpoint;
  const has = (name: string) => optimizer.tensors.has(name);
  const read = (name: string) => optimizer.readFloat32(name, new Float32Array(layout.size));
  const each = has(momentName(1, 0, 2));
  const moments: Moments[] = [];
  for (let i = 0; i < (each ? samplers.length : 1); i++) {
    const [first, second] = [1, 2].map((order) => momentName(order, i, each ? samplers.length : 1));
    moments.push({ moment1: await read(first!), moment2: await read(second!) });
  }
  return {
    progress,
    team: {
      round,
      parameters,
      moments,
      samplers,
      ...(has('outer_momentum') && { outerMomentum: await read('outer_momentum') }),
    },
  };
}

/** In the model's order of elements; of all replicas together, or one each. */
function momentName(order: number, replica: number, of: number): string {
  return of === 1 ? `moment${order}` : `replica${replica + 1}.moment${order}`;
}
