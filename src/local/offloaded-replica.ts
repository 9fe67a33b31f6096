import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileSynced } from '../base/files/atomic.js';
import { sha256 } from '../base/hash.js';
import type { JsonObject, JsonValue } from '../base/json.js';
import { Random } from '../base/random.js';
import { encodeSafetensorsInPieces } from '../base/safetensors-writer.js';
import { BatchSampler } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import type { ParameterPiece } from '../model/layout.js';
import { basePieces, openBase } from '../run/streamed-base.js';
import { RANGE } from '../training/ranges.js';
import { BoundaryFile } from '../training/streamed/disk/boundary-file.js';
import { FileStore } from '../training/streamed/disk/file-store.js';
import { ParameterReader, setParameters } from '../training/streamed/parameter-pieces.js';
import { StreamedReplica, storedSections } from '../training/streamed/streamed-replica.js';
import type { LiveReplica } from './live-replica.js';
import { alone, LoneReplica } from './lone-replica.js';
import type { OffloadSetup, ReplicaSetup, ReplicaState } from './messages.js';
import { holdsOnDisk } from './offload-need.js';
import { openTask, type Task } from './task.js';

/** A replica whose model is trained layer by layer, with sections on disk; it is the only one of its run. */
export class OffloadedReplica extends LoneReplica<StreamedReplica> implements LiveReplica {
  private constructor(
    setup: ReplicaSetup,
    task: Task,
    replica: StreamedReplica,
    private readonly store: FileStore,
    sampler: BatchSampler<unknown>,
  ) {
    super(setup, task, replica, sampler);
  }

  static async create(
    setup: ReplicaSetup,
    { folder, resident, statesOnDisk }: OffloadSetup,
  ): Promise<OffloadedReplica> {
    const { batchSize, threads, seed, gradAccum, optimizer } = setup;
    const task = await openTask(setup.task, seed);
    const sampler = new BatchSampler({ source: task.training, batchSize, replica: 0, worldSize: 1 });
    let store: FileStore | undefined;
    const everything = holdsOnDisk({ resident });
    // An arena keeps what the largest layer needed for each kind of layer: hundreds of megabytes.
    const means = {
      engine: new NodeEngine(),
      optimizer,
      compile: { threads, spinning: threads > 1, arena: !everything },
    };
    const replica = await StreamedReplica.create({
      ...means,
      objective: task.objective,
      batch: batchSize,
      gradientAccumulation: gradAccum,
      open: storedSections(means, async (sections) => {
        const range = RANGE * threads;
        const { moments } = optimizer;
        const buffers = everything ? 3 : 4;
        return (store = await FileStore.open({ folder, sections, resident, range, moments, buffers }));
      }),
      boundaries: statesOnDisk ? (sizes) => BoundaryFile.open(join(folder, 'states'), sizes) : undefined,
    });
    return new OffloadedReplica(setup, task, replica, store!, sampler);
  }

  async load({ parameters, sampler }: ReplicaState): Promise<string> {
    const { layout } = this.task.objective;
    const { from } = this.setup.offload!;
    if (this.store.state === undefined) {
      if (parameters.length > 0) await this.#set(layout.pieces(parameters));
      else if (from) await this.#setFrom(from);
      else await this.#set(layout.initialPieces(new Random(this.setup.seed, 'parameters')));
    }
    if (sampler) this.sampler.restore(sampler);
    return this.hash();
  }

  async commit(state: JsonObject): Promise<null> {
    await this.replica.flush();
    await this.store.commit({ ...state, samplers: [this.sampler.state as unknown as JsonValue] });
    return null;
  }

  async weights(path: string): Promise<{ sha256: string }> {
    await this.replica.flush();
    const { layout } = this.task.objective;
    const reader = new ParameterReader(this.store, this.replica.sections);
    try {
      const pieces = encodeSafetensorsInPieces(layout.entries, (name) => reader.values(name), { format: 'pt' });
      // One that a killed process left.
      await rm(path, { force: true });
      return await writeFileSynced(path, pieces);
    } finally {
      reader.close();
    }
  }

  async snapshot(): Promise<never> {
    throw alone();
  }

  #set(pieces: Iterable<ParameterPiece> | AsyncIterable<ParameterPiece>): Promise<void> {
    return setParameters(this.store, this.replica.sections, pieces);
  }

  async #setFrom({ model, sha256 }: NonNullable<OffloadSetup['from']>): Promise<void> {
    const base = await openBase(model, sha256);
    try {
      await this.#set(basePieces(base));
      await base.check();
    } finally {
      await base.close();
    }
  }

  /** Nobody has others to compare them with, and to read them all for it would cost as much as a step. */
  protected hash(): string {
    return sha256(`a model on disk, ${this.steps}`);
  }
}
