import { z } from 'zod';
import { MeanfieldError } from '../base/errors.js';
import { firstIssue } from '../base/first-issue.js';
import type { JsonValue } from '../base/json.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Checkpoint } from '../run/checkpoint.js';
import type { FrozenPart } from '../run/frozen-part.js';
import { readMoment } from '../run/moment-tensors.js';
import { timedRoundSchema } from '../run/timed-rounds.js';
import { readVectors, saveVectors } from '../run/vector-checkpoint.js';
import { isLossScale } from '../training/loss-scale.js';
import type { Moment } from '../training/moments.js';
import type { ReplicaPlace } from './messages.js';
import type { Moments, TeamState } from './team-state.js';

const count = z.int().nonnegative();
/** A vector's name in a checkpoint. */
const OUTER_MOMENTUM = 'outer_momentum';

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
        // Of products in fp16.
        lossScale: z.strictObject({ scale: z.number(), steps: count }).refine(isLossScale).optional(),
      }),
    )
    .min(1),
});

/** Where a run stands, beside its vectors. */
export type TrainingProgress = z.infer<typeof progressSchema>;

/** Where a run stands, with its vectors. */
export interface SavedState {
  readonly progress: TrainingProgress;
  readonly team: TeamState;
  /** The folder of the checkpoint whose vectors are still to be read, by whoever they are for; left out, they are in `team`. */
  readonly checkpoint?: string;
}

/** The progress of a run before its first step. */
export const NO_PROGRESS: TrainingProgress = {
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
  progress: TrainingProgress,
  team: TeamState,
  keep: number,
  frozen?: FrozenPart,
): Promise<void> {
  const others = new Map<string, Moment>();
  for (const [i, { moment1, moment2 }] of team.moments.entries()) {
    others.set(momentName(1, i, team.moments.length), moment1);
    others.set(momentName(2, i, team.moments.length), moment2);
  }
  if (team.outerMomentum) others.set(OUTER_MOMENTUM, team.outerMomentum);
  const content = { parameters: team.parameters, others, state: stateJson(progress, team) };
  await saveVectors(checkpoints, progress.step, layout, content, { keep, frozen });
}

/** Where a run stands, as a checkpoint's state has it. */
export function stateJson(progress: TrainingProgress, { round, samplers }: Pick<TeamState, 'round' | 'samplers'>) {
  return { ...progress, round, samplers: samplers.map(placeJson) };
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
  const { progress, team: place } = standingOf(checkpoint);
  const { round, samplers } = place;
  const { tensors } = checkpoint.optimizer;
  // Of all replicas together, or one each.
  const of = tensors.has(momentName(1, 0, 2)) ? samplers.length : 1;
  const outer = tensors.has(OUTER_MOMENTUM) ? [OUTER_MOMENTUM] : [];
  const { parameters, others } = await readVectors(checkpoint, layout, outer, frozen);
  const moments: Moments[] = [];
  for (let i = 0; i < of; i++) {
    const read = (order: number) => readMoment(checkpoint.optimizer, momentName(order, i, of), layout.size);
    moments.push({ moment1: await read(1), moment2: await read(2) });
  }
  const outerMomentum = others.get(OUTER_MOMENTUM);
  return {
    progress,
    team: { round, parameters, moments, samplers, ...(outerMomentum && { outerMomentum }) },
  };
}

/** Where a run stands by a checkpoint, without its vectors. @throws MeanfieldError when it is of another kind of run */
export function standingOf({ state, path }: Pick<Checkpoint, 'state' | 'path'>): SavedState {
  const { round, samplers, ...progress } = parseState(state, `${path}/state.json`);
  return { progress, team: { round, samplers, parameters: new Float32Array(0), moments: [] }, checkpoint: path };
}

/** Where a run stands, out of a checkpoint's state. @throws MeanfieldError when it is not that of a run */
export function parseState(
  state: JsonValue,
  path: string,
): TrainingProgress & { readonly round: number; readonly samplers: readonly ReplicaPlace[] } {
  const parsed = stateSchema.safeParse(state);
  if (!parsed.success) throw new MeanfieldError(`${path} is not the state of a run: ${firstIssue(parsed.error)}.`);
  return { ...parsed.data, samplers: parsed.data.samplers.map(placeJson) };
}

/** In the model's order of elements; of all replicas together, or one each. */
function momentName(order: number, replica: number, of: number): string {
  return of === 1 ? `moment${order}` : `replica${replica + 1}.moment${order}`;
}

/** As JSON has it, and as a replica takes it back. */
function placeJson({ lossScale, ...place }: z.infer<typeof stateSchema>['samplers'][number]) {
  return { ...place, ...(lossScale && { lossScale: { ...lossScale } }) };
}
