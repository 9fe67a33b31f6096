import type { OpenRun } from '../run/open-run.js';
import type { PreparedRun } from '../run/task.js';
import type { TrainingProgress } from './saved-state.js';
import type { TeamState } from './team-state.js';
import type { ThreadRounds } from './threads.js';

/** The replicas of a run as who drives them sees them, wherever their vectors are. */
export interface Crew {
  readonly rounds: ThreadRounds;
  /** The mean loss on the validation samples of these numbers, and the means of what else is told in training. */
  evaluate(
    numbers: readonly number[],
  ): Promise<{ readonly loss: number; readonly others?: Readonly<Record<string, number>> }>;
  /** The beginning of a text that the committed parameters write; undefined where that would need all of them at once. */
  sample(tokens: number): Promise<string | undefined>;
  /** All that is needed to go on. @throws Error where it is not in memory */
  state(): Promise<TeamState>;
  /** Makes a checkpoint. @returns where it is */
  save(of: SavedRun, progress: TrainingProgress): Promise<string>;
  /** The last checkpoint, if there is one. */
  lastCheckpoint(of: SavedRun): Promise<string | undefined>;
  /** Writes the run's `model/`. */
  writeModel(of: SavedRun): Promise<void>;
  close(): Promise<void>;
}

/** Whose checkpoints and model they are. */
export interface SavedRun {
  readonly run: OpenRun;
  readonly prepared: PreparedRun;
}
