import { layoutHash } from '../averaging/layout-hash.js';
import { cutShards } from '../averaging/shards.js';
import type { ParameterLayout } from '../model/layout.js';
import { checkpointPath, lastCheckpoint } from '../run/checkpoint.js';
import { meanLoss, meansOfOthers } from '../training/evaluation.js';
import { copyMoment, cutMoment, type Moment } from '../training/moments.js';
import type { Crew, SavedRun } from './crew.js';
import type { ReplicaSetup, Snapshot } from './messages.js';
import { type ReplicaHandle, startReplicaThread } from './replica-thread.js';
import { saveState, type TrainingProgress } from './saved-state.js';
import { shardsOf } from './shards-of.js';
import { streamedBase } from './streamed-base-replica.js';
import type { Moments, TeamState } from './team-state.js';
import { ThreadRounds } from './threads.js';

/** What all replicas share. */
export type TeamSetup = Omit<ReplicaSetup, 'replica'> & {
  /** What a sample counts for: a window's tokens, or itself. */
  readonly perSample: number;
  readonly run: string;
  /** H. */
  readonly stepsPerRound: number;
};

/** The replicas of a run and their rounds. */
export class Team implements Crew {
  /** Arrays of earlier snapshots, to be filled again. */
  readonly #reuse: (Partial<Snapshot> | undefined)[] = [];
  /** Likewise of all moments, of which sharded replicas have parts. */
  #whole: Moments | undefined;

  private constructor(
    private readonly setup: TeamSetup,
    private readonly layout: ParameterLayout,
    private readonly replicas: readonly ReplicaHandle[],
    readonly rounds: ThreadRounds,
  ) {}

  /**
   * Starts the threads, compiles the graphs and gives every replica the state.
   *
   * @param state its vectors are moved away
   */
  static async start(
    setup: TeamSetup,
    layout: ParameterLayout,
    state: TeamState,
    start: () => ReplicaHandle = startReplicaThread,
  ): Promise<Team> {
    const replicas = Array.from({ length: setup.replicas }, () => start());
    const { run, stepsPerRound, perSample: _perSample, ...shared } = setup;
    try {
      await settle(replicas.map((replica, i) => replica.ask('init', { ...shared, replica: i })));
      const shards = shardsOf(setup, layout.size);
      const hashes = await settle(
        replicas.map((replica, i) => {
          const moments = state.moments[i] ?? state.moments[0];
          const { start, end } = shards[i]!;
          // The last may take the arrays themselves.
          const last = i === replicas.length - 1;
          const given = (vector: Moment) => {
            if (setup.sharded) return copyMoment(cutMoment(vector, shards[i]!));
            return last ? vector : copyMoment(vector);
          };
          return replica.ask('load', {
            parameters: last ? state.parameters : state.parameters.slice(),
            ...(moments && { moment1: given(moments.moment1), moment2: given(moments.moment2) }),
            ...(state.outerMomentum && { outerMomentum: state.outerMomentum.slice(start, end) }),
            ...(state.samplers[i] && { sampler: state.samplers[i] }),
          });
        }),
      );
      const rounds = new ThreadRounds({
        run,
        replicas,
        hashes,
        layout: { hash: layoutHash(layout), length: layout.size },
        committed: { round: state.round, hash: hashes[0]! },
        exchange: setup.exchange,
        sharded: setup.sharded,
        stepsPerRound: stepsPerRound,
      });
      return new Team(setup, layout, replicas, rounds);
    } catch (error) {
      await Promise.all(replicas.map((replica) => replica.close()));
      throw error;
    }
  }

  /**
   * The objective's mean loss on the validation samples of these numbers, shared out between the replicas, and the means of
   * what else it tells in training.
   */
  async evaluate(
    numbers: readonly number[],
  ): Promise<{ readonly loss: number; readonly others?: Readonly<Record<string, number>> }> {
    const shares = cutShards(numbers.length, this.replicas.length);
    const sums = await settle(
      this.replicas.map((replica, i) => replica.ask('evaluate', numbers.slice(shares[i]!.start, shares[i]!.end))),
    );
    // One with no sample has nothing to tell.
    const others = meansOfOthers(sums.filter(({ weight }) => weight > 0));
    return { loss: meanLoss(sums), ...(others && { others }) };
  }

  /** The beginning of a text that the committed parameters write, the same for the same parameters. */
  async sample(tokens: number): Promise<string | undefined> {
    // Each of its tokens would read all of the base.
    if (streamedBase(this.setup.task)) return undefined;
    return this.replicas[0]!.ask('sample', tokens);
  }

  async save({ run, prepared }: SavedRun, progress: TrainingProgress): Promise<string> {
    const { learned, frozen } = prepared;
    const { checkpoints } = run.paths;
    await saveState(checkpoints, learned.layout, progress, await this.state(), run.options.keep, frozen);
    return checkpointPath(checkpoints, progress.step);
  }

  lastCheckpoint({ run }: SavedRun): Promise<string | undefined> {
    return lastCheckpoint(run.paths.checkpoints);
  }

  async writeModel({ run, prepared }: SavedRun): Promise<void> {
    await prepared.writeModel(run.paths.model, await this.parameters());
  }

  /** The committed parameters. The array is filled again by the next call of this or {@link state}. */
  async parameters(): Promise<Float32Array> {
    const [snapshot] = await this.#snapshots([0], () => ({ parameters: true, moments: false, outerMomentum: false }));
    return snapshot!.parameters!;
  }

  /** All that is needed to go on; its arrays are filled again by the next call of this or {@link parameters}. */
  async state(): Promise<TeamState> {
    const { exchange, averageMoments, outer, sharded } = this.setup;
    // With gradients averaged, and with moments averaged, all replicas' moments are the same bits.
    const each = exchange === 'parameters' && !averageMoments;
    const outerMomentum = exchange === 'parameters' && outer.method === 'nesterov';
    const all = await this.#snapshots([...this.replicas.keys()], (i) => ({
      parameters: i === 0,
      moments: each || (i === 0 && !sharded),
      outerMomentum,
    }));
    const whole = ({ moment1, moment2 }: Snapshot) => ({ moment1: moment1!, moment2: moment2! });
    const moments = each ? all.map(whole) : [sharded ? await this.#gather() : whole(all[0]!)];
    return {
      round: this.rounds.round,
      parameters: all[0]!.parameters!,
      moments,
      ...(outerMomentum && {
        outerMomentum: joined(
          all.map((one) => one.outerMomentum!),
          this.layout.size,
        ),
      }),
      samplers: all.map(({ sampler }) => sampler),
    };
  }

  /** All moments of sharded replicas: the same two arrays go from one to the next, and each fills in what it has. */
  async #gather(): Promise<Moments> {
    const request = { parameters: false, moments: true, outerMomentum: false };
    for (const replica of this.replicas) {
      const { moment1, moment2 } = await replica.ask('snapshot', {
        ...request,
        ...(this.#whole && { reuse: this.#whole }),
      });
      this.#whole = { moment1: moment1!, moment2: moment2! };
    }
    return this.#whole!;
  }

  /** Ends the threads. Never fails; steps in progress are finished first. */
  async close(): Promise<void> {
    for (const replica of this.replicas) replica.cancel();
    await Promise.all(this.replicas.map((replica) => replica.close()));
  }

  async #snapshots(
    which: readonly number[],
    what: (replica: number) => { parameters: boolean; moments: boolean; outerMomentum: boolean },
  ): Promise<Snapshot[]> {
    return settle(
      which.map(async (i) => {
        const wanted = what(i);
        const { parameters, moment1, moment2, outerMomentum } = this.#reuse[i] ?? {};
        const reuse = {
          ...(wanted.parameters && parameters && { parameters }),
          ...(wanted.moments && moment1 && moment2 && { moment1, moment2 }),
          ...(wanted.outerMomentum && outerMomentum && { outerMomentum }),
        };
        const snapshot = await this.replicas[i]!.ask('snapshot', { ...wanted, reuse });
        this.#reuse[i] = { ...this.#reuse[i], ...snapshot };
        return snapshot;
      }),
    );
  }
}

/** All results; throws the first failure once none is under way any more. */
async function settle<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

function joined(parts: readonly Float32Array[], size: number): Float32Array {
  const whole = new Float32Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
