import { join } from 'node:path';
import type { JsonObject } from '../base/json.js';
import type { ParameterLayout } from '../model/layout.js';
import { committedState } from '../training/streamed/disk/file-store.js';
import type { Crew, SavedRun } from './crew.js';
import { type ReplicaHandle, startReplicaThread } from './replica-thread.js';
import { parseState, type SavedState, type TrainingProgress } from './saved-state.js';
import { Team, type TeamSetup } from './team.js';
import type { TeamState } from './team-state.js';

/** A replica whose model is on disk, and its rounds: nothing of it is ever here, and its own store has its checkpoints. */
export class OffloadedTeam implements Crew {
  private constructor(
    private readonly folder: string,
    private readonly team: Team,
    private readonly replica: ReplicaHandle,
  ) {}

  /** @param state its parameters of no elements where the replica makes them, or has them already */
  static async start(
    setup: TeamSetup,
    folder: string,
    layout: ParameterLayout,
    state: TeamState,
    start: () => ReplicaHandle = startReplicaThread,
  ): Promise<OffloadedTeam> {
    let replica: ReplicaHandle | undefined;
    const team = await Team.start(setup, layout, state, () => (replica = start()));
    return new OffloadedTeam(folder, team, replica!);
  }

  get rounds(): Team['rounds'] {
    return this.team.rounds;
  }

  evaluate(numbers: readonly number[]): ReturnType<Team['evaluate']> {
    return this.team.evaluate(numbers);
  }

  async sample(): Promise<undefined> {}

  async save(_of: SavedRun, progress: TrainingProgress): Promise<string> {
    await this.replica.ask('commit', { ...progress, round: this.rounds.round } as unknown as JsonObject);
    return this.folder;
  }

  async lastCheckpoint(): Promise<string | undefined> {
    return (await committedState(this.folder)) === undefined ? undefined : this.folder;
  }

  async writeModel({ run, prepared }: SavedRun): Promise<void> {
    const file = join(run.paths.folder, 'model.safetensors.tmp');
    const { sha256 } = await this.replica.ask('weights', file);
    await prepared.writeModel(run.paths.model, { file, sha256 });
  }

  async state(): Promise<never> {
    throw new Error('the model is on disk');
  }

  close(): Promise<void> {
    return this.team.close();
  }
}

/** What the last checkpoint of a run's offloaded model says, but for its vectors. */
export async function offloadedState(folder: string): Promise<SavedState | undefined> {
  const state = await committedState(folder);
  if (state === undefined) return undefined;
  const { round, samplers, ...progress } = parseState(state, join(folder, 'state.json'));
  return { progress, team: { round, parameters: new Float32Array(0), moments: [], samplers } };
}
