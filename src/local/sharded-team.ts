import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { Random } from '../base/random.js';
import { encodeSafetensorsInPieces } from '../base/safetensors-writer.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Objective } from '../objectives/objective.js';
import { checkpointPath, lastCheckpoint, saveCheckpointFiles } from '../run/checkpoint.js';
import { checkpointMetadata } from '../run/frozen-part.js';
import { cutGraph } from '../training/streamed/cut-graph.js';
import { ParameterReader, setParameters } from '../training/streamed/parameter-pieces.js';
import type { Section } from '../training/streamed/sections.js';
import { checkpointPieces, MOMENTS } from './checkpoint-pieces.js';
import type { Crew, SavedRun } from './crew.js';
import { type ReplicaHandle, startReplicaThread } from './replica-thread.js';
import { stateJson, type TrainingProgress } from './saved-state.js';
import { collectiveMemory, failCollective } from './shared-collective.js';
import { Team, type TeamSetup } from './team.js';
import { TeamShards } from './team-shards.js';
import type { TeamState } from './team-state.js';

/** Where replicas whose state is shared out begin. */
export interface ShardedStart {
  readonly learned: Objective<never>;
  /** Its parameters, where there are any, are what they begin with; else they come from `checkpoint`, or from the seed. */
  readonly state: TeamState;
  /** The folder of a checkpoint, of which only a piece is ever in memory here. */
  readonly checkpoint?: string | undefined;
}

/** Replicas that have the model's state once between them, and their rounds: all of it is never here. */
export class ShardedTeam implements Crew {
  private constructor(
    private readonly layout: ParameterLayout,
    readonly sections: readonly Section[],
    private readonly replicas: readonly ReplicaHandle[],
    /** As the last step left them once they are {@link settled}. */
    readonly shards: TeamShards,
    private readonly team: Team,
  ) {}

  /** @throws MeanfieldError for a model that cannot be cut between its layers, or a checkpoint of another */
  static async start(
    setup: TeamSetup,
    { learned, state, checkpoint }: ShardedStart,
    start: () => ReplicaHandle = startReplicaThread,
  ): Promise<ShardedTeam> {
    const { layout } = learned;
    const { sections } = cutGraph(learned, setup.batchSize);
    const shared = collectiveMemory(setup.replicas, Math.max(...sections.map(({ size }) => size)));
    const replicas: ReplicaHandle[] = [];
    // Who waits for one that has failed would wait for ever.
    const watched = (): ReplicaHandle => {
      const replica = start();
      const ask: ReplicaHandle['ask'] = (...command) =>
        replica.ask(...command).catch((error: unknown) => {
          failCollective(shared, messageOf(error));
          throw error;
        });
      replicas.push({ ...replica, ask });
      return replicas.at(-1)!;
    };
    const none = new Float32Array(0);
    const team = await Team.start({ ...setup, shared }, layout, { ...state, parameters: none, moments: [] }, watched);
    try {
      const shards = new TeamShards(replicas, sections, setup.stage!);
      if (checkpoint !== undefined)
        for (const [vector, pieces] of await checkpointPieces(checkpoint, layout))
          await setParameters(shards, sections, pieces, vector);
      else {
        const { parameters } = state;
        const initial = layout.initialPieces(new Random(setup.seed, 'parameters'));
        await setParameters(shards, sections, parameters.length > 0 ? layout.pieces(parameters) : initial);
      }
      return new ShardedTeam(layout, sections, replicas, shards, team);
    } catch (error) {
      await team.close();
      throw error;
    }
  }

  get rounds(): Team['rounds'] {
    return this.team.rounds;
  }

  evaluate(numbers: readonly number[]): ReturnType<Team['evaluate']> {
    return this.team.evaluate(numbers);
  }

  /** To write, a replica would need all parameters at once. */
  async sample(): Promise<undefined> {}

  async save({ run, prepared }: SavedRun, progress: TrainingProgress): Promise<string> {
    const { checkpoints } = run.paths;
    const samplers = await this.settled();
    const { size } = this.layout;
    const content = {
      model: this.#parameters(checkpointMetadata(prepared.frozen)),
      optimizer: encodeSafetensorsInPieces(
        MOMENTS.map((name) => ({ name, shape: [size] })),
        (name) => this.#moment(name as (typeof MOMENTS)[number]),
      ),
      state: stateJson(progress, { round: this.rounds.round, samplers }),
    };
    await saveCheckpointFiles(checkpoints, progress.step, content, { keep: run.options.keep });
    return checkpointPath(checkpoints, progress.step);
  }

  lastCheckpoint({ run }: SavedRun): Promise<string | undefined> {
    return lastCheckpoint(run.paths.checkpoints);
  }

  async writeModel({ run, prepared }: SavedRun): Promise<void> {
    await this.settled();
    const file = join(run.paths.folder, 'model.safetensors.tmp');
    // One that a killed process left.
    await rm(file, { force: true });
    const { sha256 } = await writeFileSynced(file, this.#parameters({ format: 'pt' }));
    await prepared.writeModel(run.paths.model, { file, sha256 });
  }

  async state(): Promise<never> {
    throw new Error('the model is in shards');
  }

  close(): Promise<void> {
    return this.team.close();
  }

  /** Has all of them take the step that is still to be taken. @returns where they stand among their samples */
  async settled(): Promise<TeamState['samplers']> {
    const nothing = { parameters: false, moments: false, outerMomentum: false };
    const all = await Promise.all(this.replicas.map((replica) => replica.ask('snapshot', nothing)));
    return all.map(({ sampler }) => sampler);
  }

  #parameters(metadata: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array> {
    const reader = new ParameterReader(this.shards, this.sections);
    return encodeSafetensorsInPieces(this.layout.entries, (name) => reader.values(name), metadata);
  }

  /** A moment in the model's order of elements, as other runs have it. */
  async *#moment(name: (typeof MOMENTS)[number]): AsyncGenerator<Float32Array> {
    const reader = new ParameterReader(this.shards, this.sections, name);
    for (const entry of this.layout.entries) yield* reader.values(entry.name);
  }
}
