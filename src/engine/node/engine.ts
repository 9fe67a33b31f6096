import { InferenceSession, Tensor } from 'onnxruntime-node';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { AnySizeProgram, Program, Target } from '../../graph/index.js';
import { OnnxDeviceMemory } from '../device-memory.js';
import {
  type AnySizeSession,
  checkArrays,
  type DeviceMemory,
  type Engine,
  type HostArray,
  type HostArrays,
  type Session,
  type SessionOptions,
} from '../engine.js';
import { NodeAnySizeSession } from './any-size.js';
import type { NodeDevice } from './device-names.js';
import { isRefusal, UNRETURNED, withUnreturned } from './unreturned.js';

/** ONNX Runtime in Node. `run` blocks its thread: use it in worker threads, never where something else must go on. */
export class NodeEngine implements Engine {
  readonly name: string;
  readonly target: Target;
  readonly views: boolean;
  readonly memory: DeviceMemory | undefined;
  readonly compileAnySize: Engine['compileAnySize'];

  constructor(device: NodeDevice = 'cpu') {
    this.name = `onnxruntime-node/${device}`;
    this.target = device;
    this.views = device === 'cpu';
    if (device === 'cpu') this.compileAnySize = (program, options) => this.#openAnySize(program, options);
    // Of the devices' tensors the binding (1.30.0) knows WebGPU's alone: it would read one of CUDA's as host memory.
    if (device === 'webgpu')
      this.memory = new OnnxDeviceMemory({
        target: device,
        Tensor,
        open: (program, preferredOutputLocation, options) =>
          this.#open(program, program.onnx, options, { preferredOutputLocation }),
      });
  }

  async compile(program: Program, options: SessionOptions = {}): Promise<Session> {
    const onnx = this.views ? withUnreturned(program.onnx) : program.onnx;
    return new NodeSession(program, await this.#open(program, onnx, options), this.views);
  }

  async #openAnySize(program: AnySizeProgram, options: SessionOptions = {}): Promise<AnySizeSession> {
    const externalData = [...program.constants].map(([path, data]) => ({ path, data }));
    const session = await this.#open(program, withUnreturned(program.onnx), options, { externalData });
    return new NodeAnySizeSession(session, program.inputs, program.outputs);
  }

  async #open(
    program: Pick<Program, 'target'>,
    onnx: Uint8Array,
    { threads = 1, spinning = threads > 1, arena = true, oneBlock = false }: SessionOptions,
    more: Pick<InferenceSession.SessionOptions, 'preferredOutputLocation' | 'externalData'> = {},
  ): Promise<InferenceSession> {
    if (program.target !== this.target) throw new Error(`a program for ${program.target} cannot run on ${this.name}`);
    try {
      return await InferenceSession.create(onnx, {
        ...more,
        executionProviders: this.target === 'cpu' ? ['cpu'] : [this.target, 'cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        enableCpuMemArena: arena,
        // Laying memory out ahead gains no speed over an arena that is warm, and holds up to a half more of it.
        enableMemPattern: oneBlock,
        logSeverityLevel: 3,
        extra: {
          session: {
            intra_op: { allow_spinning: spinning ? '1' : '0' },
            force_spinning_stop: '1',
            set_denormal_as_zero: '1',
          },
          // We share subexpressions ourselves; what is left twice is meant to be made twice (graph/recompute.ts). So it is
          // with transposes beside products: those that are left are meant (graph/operators/product.ts).
          optimization: {
            disable_specified_optimizers:
              'CommonSubexpressionElimination;GemmTransposeFusion;MatmulTransposeFusion;TransposeOptimizer',
          },
        },
      });
    } catch (error) {
      throw new MeanfieldError(`${this.name} cannot compile the graph: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** What the system gave no memory for, in words; other errors as they are. */
function asNoMemory(error: unknown): unknown {
  if (!messageOf(error).includes('std::bad_alloc')) return error;
  return new MeanfieldError(
    'No memory is left for a step of a graph. Close other programs, or take a smaller model or batch; see `ulimit -a` for what ' +
      'this process may have.',
    { cause: error },
  );
}

class NodeSession implements Session {
  readonly program: Program;
  readonly #session: InferenceSession;
  readonly #inPlace: boolean;

  constructor(program: Program, session: InferenceSession, inPlace: boolean) {
    this.program = program;
    this.#session = session;
    this.#inPlace = inPlace;
  }

  async run(feeds: HostArrays, into: HostArrays = {}): Promise<Record<string, HostArray>> {
    const { inputs, outputs } = this.program;
    checkArrays(this.program, feeds, into);
    const tensors: Record<string, Tensor> = {};
    for (const [name, type] of inputs) tensors[name] = new Tensor(type.dtype, feeds[name]!, type.shape);
    if (this.#inPlace && [...outputs.keys()].every((name) => into[name])) {
      await this.#runInPlace(tensors, into);
      return { ...into };
    }
    const fetches: Record<string, Tensor | null> = {};
    for (const [name, type] of outputs) {
      const array = this.#inPlace ? into[name] : undefined;
      fetches[name] = array ? new Tensor(type.dtype, array, type.shape) : null;
    }
    const results = await this.#session.run(tensors, fetches).catch((error: unknown) => {
      throw asNoMemory(error);
    });
    const arrays: Record<string, HostArray> = {};
    for (const name of outputs.keys()) {
      const given = into[name];
      // A pre-allocated output is read from the array that was given: the returned tensor may hold another.
      if (given && !this.#inPlace) (given as Float32Array).set(results[name]!.data as Float32Array);
      arrays[name] = given ?? (results[name]!.data as HostArray);
    }
    return arrays;
  }

  /** A run whose every output has a place: nothing need come back. */
  async #runInPlace(feeds: Record<string, Tensor>, into: HostArrays): Promise<void> {
    const fetches: Record<string, Tensor | null> = { [UNRETURNED]: null };
    for (const [name, type] of this.program.outputs) fetches[name] = new Tensor(type.dtype, into[name]!, type.shape);
    try {
      await this.#session.run(feeds, fetches);
    } catch (error) {
      if (!isRefusal(error)) throw asNoMemory(error);
    }
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
