import type { InferenceSession, Tensor } from 'onnxruntime-common';
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
import { WebAnySizeSession } from './any-size.js';

/** The devices that ONNX Runtime reaches from a browser. */
export type WebDevice = 'wasm' | 'webgpu';

/** How ONNX Runtime is set up in a page or a web worker; it reads this once, at the first session. */
export interface WebOptions {
  /** The URL of a folder with the `.wasm` and `.mjs` files of `onnxruntime-web/dist`, ending in a slash. */
  readonly files?: string;
  /** Threads of the WASM device, shared by all sessions. More than 1 needs a cross-origin isolated page. Default 1. */
  readonly threads?: number;
}

type OnnxRuntime = typeof import('onnxruntime-web/webgpu');

/**
 * ONNX Runtime in a browser. Neither device takes views or pre-allocated outputs: WASM gives zeros in them and WebGPU
 * keeps its values in buffers of its own. Values are copied in and out, and every tensor that came out is disposed.
 */
export class WebEngine implements Engine {
  readonly name: string;
  readonly target: Target;
  readonly views = false;
  readonly memory: DeviceMemory | undefined;
  readonly compileAnySize: Engine['compileAnySize'];
  readonly #ort: OnnxRuntime;

  private constructor(device: WebDevice, ort: OnnxRuntime) {
    this.name = `onnxruntime-web/${device}`;
    this.target = device;
    this.#ort = ort;
    if (device === 'wasm') this.compileAnySize = (program) => this.#openAnySize(program);
    if (device === 'webgpu')
      this.memory = new OnnxDeviceMemory({
        target: device,
        Tensor: ort.Tensor,
        open: (program, preferredOutputLocation) => this.#open(program, { preferredOutputLocation }),
      });
  }

  /**
   * Loads ONNX Runtime.
   *
   * @throws MeanfieldError when the browser has no WebGPU, or threads are asked for where memory cannot be shared
   */
  static async create(device: WebDevice, { files, threads = 1 }: WebOptions = {}): Promise<WebEngine> {
    const { navigator = {} } = globalThis as { navigator?: object };
    if (device === 'webgpu' && !('gpu' in navigator)) {
      throw new MeanfieldError('This browser has no WebGPU. Use the wasm device, or a browser that has it.');
    }
    if (threads > 1 && typeof SharedArrayBuffer === 'undefined') {
      throw new MeanfieldError(
        `${threads} threads need a page that is cross-origin isolated: serve it with the headers ` +
          'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or use 1 thread.',
      );
    }
    const ort = device === 'wasm' ? await import('onnxruntime-web/wasm') : await import('onnxruntime-web/webgpu');
    if (files) ort.env.wasm.wasmPaths = files;
    ort.env.wasm.numThreads = threads;
    return new WebEngine(device, ort);
  }

  /** Threads and memory are set for all sessions at once, by {@link WebOptions}; of `options` nothing applies here. */
  async compile(program: Program, _options?: SessionOptions): Promise<Session> {
    return new WebSession(program, await this.#open(program), this.#ort);
  }

  async #openAnySize(program: AnySizeProgram): Promise<AnySizeSession> {
    const externalData = [...program.constants].map(([path, data]) => ({ path, data }));
    const session = await this.#open(program, { externalData });
    return new WebAnySizeSession(session, program, this.#ort.Tensor);
  }

  async #open(
    program: Pick<Program, 'target' | 'onnx'>,
    more: Pick<InferenceSession.SessionOptions, 'preferredOutputLocation' | 'externalData'> = {},
  ): Promise<InferenceSession> {
    if (program.target !== this.target) throw new Error(`a program for ${program.target} cannot run on ${this.name}`);
    try {
      return await this.#ort.InferenceSession.create(program.onnx, {
        ...more,
        executionProviders: [this.target],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      });
    } catch (error) {
      throw new MeanfieldError(`${this.name} cannot compile the graph: ${messageOf(error)}`, { cause: error });
    }
  }
}

class WebSession implements Session {
  readonly program: Program;
  readonly #session: InferenceSession;
  readonly #ort: OnnxRuntime;

  constructor(program: Program, session: InferenceSession, ort: OnnxRuntime) {
    this.program = program;
    this.#session = session;
    this.#ort = ort;
  }

  async run(feeds: HostArrays, into: HostArrays = {}): Promise<Record<string, HostArray>> {
    const { inputs, outputs } = this.program;
    checkArrays(this.program, feeds, into);
    const tensors: Record<string, Tensor> = {};
    for (const [name, type] of inputs) tensors[name] = new this.#ort.Tensor(type.dtype, feeds[name]!, type.shape);
    const results = await this.#session.run(tensors);
    const arrays: Record<string, HostArray> = {};
    for (const name of outputs.keys()) {
      const values = (await results[name]!.getData(true)) as HostArray;
      const given = into[name];
      if (given) (given as Float32Array).set(values as Float32Array);
      arrays[name] = given ?? values;
    }
    return arrays;
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
