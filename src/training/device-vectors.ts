import type {
  DeviceArray,
  DeviceMemory,
  DeviceSession,
  HostArray,
  HostArrays,
  SessionOptions,
} from '../engine/engine.js';
import { add, encode, input, type Program } from '../graph/index.js';
import type { ParameterLayout } from '../model/layout.js';
import type { AdamwOptions, OptimizerVectors, StepReport } from './adamw.js';
import { traceDeviceAdamw } from './device-adamw.js';
import { isFewBits, type Moment } from './moments.js';
import { checkVectors, type TrainedVectors, type VectorName } from './trained-vectors.js';

/** A vector on both sides. */
interface Both {
  host: Float32Array | undefined;
  /** Missing where what is here is newer. */
  device: DeviceArray | undefined;
  /** Whether `host` has the values of `device`. */
  fetched: boolean;
}

const NAMES = ['parameters', 'gradient', 'moment1', 'moment2'] as const;

/** What {@link DeviceVectors} is made of. */
export interface DeviceVectorsSetup {
  readonly memory: DeviceMemory;
  readonly layout: ParameterLayout;
  /** Of a micro-batch, traced for whole vectors and without a sum before it. */
  readonly gradient: Program;
  readonly optimizer: AdamwOptions;
  /** What the program is fed beside parameters and batch, always the same. */
  readonly frozen: HostArrays;
  readonly compile: SessionOptions;
}

/**
 * Vectors on a device, from one step to the next: a step takes its batch there and brings its loss and the gradient's norm
 * back. They come to this process when they are fetched, and go there again once they have been changed here.
 */
export class DeviceVectors implements TrainedVectors {
  readonly #vectors: Record<VectorName, Both>;
  /** What never changes: on the device where its type can be there. */
  #frozen: Record<string, HostArray | DeviceArray> | undefined;

  private constructor(
    private readonly setup: DeviceVectorsSetup,
    private readonly gradient: DeviceSession,
    private readonly sum: DeviceSession,
    private readonly update: DeviceSession,
  ) {
    const none = (): Both => ({ host: undefined, device: undefined, fetched: false });
    this.#vectors = { parameters: none(), gradient: none(), moment1: none(), moment2: none() };
  }

  static async create(setup: DeviceVectorsSetup): Promise<DeviceVectors> {
    const { memory, layout, gradient, optimizer, compile } = setup;
    if (optimizer.moments) throw new Error('moments in few bits on a device');
    const { target } = gradient;
    const vector = (name: string) => input(name, [layout.size]);
    const sum = encode({ gradient: add(vector('sum'), vector('more')) }, target);
    const update = traceDeviceAdamw(layout, optimizer, target);
    return new DeviceVectors(
      setup,
      await memory.compile(gradient, ['gradient'], compile),
      await memory.compile(sum, ['gradient'], compile),
      await memory.compile(update, ['parameters_out', 'moment1_out', 'moment2_out'], compile),
    );
  }

  /** Made here when they are first asked for: a run that is never averaged needs none. */
  get vectors(): OptimizerVectors {
    const host = NAMES.map((name) => [name, (this.#vectors[name].host ??= this.#zeros())] as const);
    return Object.fromEntries(host) as unknown as OptimizerVectors;
  }

  get moments(): OptimizerVectors {
    return this.vectors;
  }

  adopt(vectors: Partial<OptimizerVectors<Moment>>): void {
    checkVectors(this.setup.layout.size, vectors);
    for (const name of NAMES) {
      const vector = vectors[name];
      if (vector && isFewBits(vector)) throw new Error('moments in few bits on a device');
      if (vector) this.#vectors[name].host = vector;
    }
    this.changed(NAMES.filter((name) => vectors[name]));
  }

  async fetch(names: readonly VectorName[]): Promise<OptimizerVectors> {
    for (const name of names) {
      const both = this.#vectors[name];
      if (!both.device || both.fetched) continue;
      const values = (await this.setup.memory.download(both.device)) as Float32Array;
      if (both.host) both.host.set(values);
      else both.host = values;
      both.fetched = true;
    }
    return this.vectors;
  }

  changed(names: readonly VectorName[]): void {
    for (const name of names) this.#replace(name, undefined);
  }

  async accumulate(feeds: HostArrays, i: number): Promise<number> {
    this.#frozen ??= await this.#uploadFrozen();
    const parameters = await this.#onDevice('parameters');
    // Before the next one is made: it is as large as the model.
    if (i === 0) this.#replace('gradient', undefined);
    const { host, kept } = await this.gradient.run({ parameters, ...this.#frozen, ...feeds });
    const own = kept.gradient!;
    if (i === 0) this.#replace('gradient', own);
    else {
      const sum = await this.sum.run({ sum: await this.#onDevice('gradient'), more: own });
      own.dispose();
      this.#replace('gradient', sum.kept.gradient);
    }
    return host.loss![0] as number;
  }

  async apply(step: number, learningRate: number, scale: number): Promise<StepReport> {
    const { beta1, beta2 } = this.setup.optimizer;
    const { host, kept } = await this.update.run({
      parameters: await this.#onDevice('parameters'),
      gradient: await this.#onDevice('gradient'),
      moment1: await this.#onDevice('moment1'),
      moment2: await this.#onDevice('moment2'),
      scale: Float32Array.of(scale),
      rate: Float32Array.of(learningRate),
      correction1: Float32Array.of(1 - beta1 ** (step + 1)),
      correction2: Float32Array.of(Math.sqrt(1 - beta2 ** (step + 1))),
    });
    const gradientNorm = host.norm![0] as number;
    for (const name of ['parameters', 'moment1', 'moment2'] as const) {
      const after = kept[`${name}_out`]!;
      // A gradient that is not finite changes nothing.
      if (Number.isFinite(gradientNorm)) this.#replace(name, after);
      else after.dispose();
    }
    return { gradientNorm };
  }

  async dispose(): Promise<void> {
    this.changed(NAMES);
    for (const array of Object.values(this.#frozen ?? {})) if ('dispose' in array) array.dispose();
    for (const session of [this.gradient, this.sum, this.update]) await session.dispose();
  }

  #zeros(): Float32Array {
    return new Float32Array(this.setup.layout.size);
  }

  /** The vector's newest values on the device; sent there where they are not. */
  async #onDevice(name: VectorName): Promise<DeviceArray> {
    const both = this.#vectors[name];
    if (!both.device) {
      both.host ??= this.#zeros();
      both.device = await this.setup.memory.upload(both.host);
      both.fetched = true;
    }
    return both.device;
  }

  #replace(name: VectorName, device: DeviceArray | undefined): void {
    const both = this.#vectors[name];
    both.device?.dispose();
    both.device = device;
    both.fetched = false;
  }

  async #uploadFrozen(): Promise<Record<string, HostArray | DeviceArray>> {
    const { memory } = this.setup;
    const frozen: Record<string, HostArray | DeviceArray> = {};
    for (const [name, array] of Object.entries(this.setup.frozen)) {
      const type = this.setup.gradient.inputs.get(name);
      if (type) frozen[name] = memory.holds(type.dtype) ? await memory.upload(array, type) : array;
    }
    return frozen;
  }
}
