/*
 * Values that stay on a device between runs. Buffer rules of ONNX Runtime 1.30.0 that are kept here: an output stays where
 * `preferredOutputLocation` says so when the session is made; it is a new buffer at every run, which is given back when its
 * tensor is disposed and not before; in Node `getData` of such a tensor ends the process, so values come back through a
 * session of one Identity; and a tensor of the device that a session of the CPU is fed is read as garbage.
 */
import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';
import { type DType, encode, input, type Program, type Target, type TensorType } from '../graph/index.js';
import {
  checkArray,
  type DeviceArray,
  type DeviceMemory,
  type DeviceOutputs,
  type DeviceSession,
  type HostArray,
  type SessionOptions,
  type Traffic,
} from './engine.js';

/** How a package of ONNX Runtime is reached. */
export interface DeviceBinding {
  readonly target: Target;
  readonly Tensor: TensorConstructor;
  open(
    program: Program,
    preferredOutputLocation: Readonly<Record<string, Tensor.DataLocation>>,
    options: SessionOptions,
  ): Promise<InferenceSession>;
}

/** Types that ONNX Runtime has buffers of on a device; of ours. */
const KEPT: ReadonlySet<DType> = new Set(['float32', 'int32', 'int64']);

/** The memory of a device that ONNX Runtime reaches. */
export class OnnxDeviceMemory implements DeviceMemory {
  readonly #binding: DeviceBinding;
  /** Sessions that move values, by direction and type. */
  readonly #transfers = new Map<string, Promise<DeviceSession>>();
  readonly #traffic = { toDevice: 0, toHost: 0 };
  readonly #alive = new Set<KeptArray>();

  constructor(binding: DeviceBinding) {
    this.#binding = binding;
  }

  get traffic(): Traffic {
    return { ...this.#traffic };
  }

  get arrays(): number {
    return this.#alive.size;
  }

  holds(dtype: DType): boolean {
    return KEPT.has(dtype);
  }

  async compile(program: Program, keep: readonly string[], options: SessionOptions = {}): Promise<DeviceSession> {
    for (const name of keep) {
      const type = program.outputs.get(name);
      if (!type || !this.holds(type.dtype)) throw new Error(`output ${name} cannot stay on the device`);
    }
    const location = (name: string) => (keep.includes(name) ? 'gpu-buffer' : 'cpu');
    const locations = Object.fromEntries([...program.outputs.keys()].map((name) => [name, location(name)] as const));
    const session = await this.#binding.open(program, locations, options);
    return {
      program,
      run: (feeds) => this.#run(program, session, feeds),
      dispose: () => session.release(),
    };
  }

  async upload(array: HostArray, type: TensorType = { shape: [array.length], dtype: 'float32' }): Promise<DeviceArray> {
    const session = await this.#transfer('to', type);
    return (await session.run({ x: array })).kept.y!;
  }

  async download(array: DeviceArray): Promise<HostArray> {
    const session = await this.#transfer('from', array.type);
    return (await session.run({ x: array })).host.y!;
  }

  #transfer(direction: 'to' | 'from', { shape, dtype }: TensorType): Promise<DeviceSession> {
    const key = `${direction} ${dtype} ${shape}`;
    let session = this.#transfers.get(key);
    if (!session) {
      const program = encode({ y: input('x', shape, dtype) }, this.#binding.target);
      session = this.compile(program, direction === 'to' ? ['y'] : []);
      this.#transfers.set(key, session);
    }
    return session;
  }

  async #run(
    { inputs, outputs }: Program,
    session: InferenceSession,
    feeds: Readonly<Record<string, HostArray | DeviceArray>>,
  ): Promise<DeviceOutputs> {
    const tensors: Record<string, Tensor> = {};
    for (const [name, type] of inputs) {
      const given = feeds[name];
      if (given instanceof KeptArray) tensors[name] = given.tensorFor(name, type);
      else {
        const array = given as HostArray | undefined;
        checkArray('input', name, type, array);
        tensors[name] = new this.#binding.Tensor(type.dtype, array!, type.shape);
        this.#traffic.toDevice += array!.byteLength;
      }
    }
    const results = await session.run(tensors);
    const host: Record<string, HostArray> = {};
    const kept: Record<string, DeviceArray> = {};
    for (const [name, type] of outputs) {
      const tensor = results[name]!;
      if (tensor.location === 'gpu-buffer') {
        const array: KeptArray = new KeptArray(type, tensor, () => this.#alive.delete(array));
        this.#alive.add(array);
        kept[name] = array;
      } else {
        host[name] = tensor.data as HostArray;
        this.#traffic.toHost += host[name].byteLength;
      }
    }
    return { host, kept };
  }
}

class KeptArray implements DeviceArray {
  #tensor: Tensor | undefined;

  constructor(
    readonly type: TensorType,
    tensor: Tensor,
    private readonly onDispose: () => void,
  ) {
    this.#tensor = tensor;
  }

  tensorFor(name: string, { shape, dtype }: TensorType): Tensor {
    const fits = this.type.dtype === dtype && `${this.type.shape}` === `${shape}`;
    if (!this.#tensor || !fits) {
      const got = this.#tensor ? `${this.type.dtype} [${this.type.shape.join(', ')}]` : 'one that was disposed';
      throw new Error(`input ${name}: expected ${dtype} [${shape.join(', ')}] on the device, got ${got}`);
    }
    return this.#tensor;
  }

  dispose(): void {
    this.#tensor?.dispose();
    this.#tensor = undefined;
    this.onDispose();
  }
}
