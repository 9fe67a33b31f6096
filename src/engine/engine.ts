import type { AnySizeProgram, DType, Program, Target, TensorType } from '../graph/index.js';

/** Values in this process's memory: Float32Array for float32, and so on by `arrayTypes`. */
export type HostArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Int8Array | Uint8Array | Uint16Array;

/** Values by input or output name. */
export type HostArrays = Readonly<Record<string, HostArray>>;

/** A compiled program. */
export interface Session {
  readonly program: Program;
  /**
   * Runs once.
   *
   * @param feeds one array for each input, of as many elements as its shape has; a view of a larger buffer is fine
   * @param into where to write outputs; an output not named there gets a new array. One may be a fed array itself if
   * the graph reads that input nowhere but on the way to this very output; otherwise they must not overlap the feeds.
   * @returns every output, those of `into` in the array that was given
   * @throws Error when an array is missing or has the wrong length
   */
  run(feeds: HostArrays, into?: HostArrays): Promise<Record<string, HostArray>>;
  dispose(): Promise<void>;
}

/** What a session may use. */
export interface SessionOptions {
  /** Threads of one run, this one included. Default 1: idle threads of other sessions cost more than they give. */
  readonly threads?: number;
  /**
   * Whether idle threads wait by spinning while a run is under way, which wakes them faster. They stop at its end: a
   * pool that went on would take the cores of the next session (measured: 82 instead of 35 ms a step). Default true
   * when `threads` > 1.
   */
  readonly spinning?: boolean;
  /** Keep freed memory for the next run, which then meets no page faults (a sixth of the time of a large step). Default true. */
  readonly arena?: boolean;
  /**
   * What a run needs is one block, which goes back to the system at its end; without an arena, pieces of a run stay with the
   * process otherwise (glibc returns what it mapped, and maps ever larger pieces only once it has seen such freed). Measured
   * on a layer at a time of 200M parameters: 281 MB instead of 590. It costs page faults: 11 % of a training step of GPT-2
   * 124M. Default false.
   */
  readonly oneBlock?: boolean;
}

/** An array in a device's memory. It is fed to sessions of the memory that it is in. */
export interface DeviceArray {
  readonly type: TensorType;
  /** Gives its memory back; it cannot be fed afterwards. Once more does nothing. */
  dispose(): void;
}

/** What crossed between this process and the device, in bytes: what ONNX Runtime was fed from here and gave back to here. */
export interface Traffic {
  readonly toDevice: number;
  readonly toHost: number;
}

/** What a run left: arrays of this process, and arrays of the device. */
export interface DeviceOutputs {
  readonly host: Readonly<Record<string, HostArray>>;
  readonly kept: Readonly<Record<string, DeviceArray>>;
}

/** A compiled program some of whose outputs stay on the device. */
export interface DeviceSession {
  readonly program: Program;
  /**
   * Runs once.
   *
   * @param feeds one array for each input; those of the device cross nothing and are not used up
   * @throws Error when an array is missing, disposed, or of the wrong type or length
   */
  run(feeds: Readonly<Record<string, HostArray | DeviceArray>>): Promise<DeviceOutputs>;
  dispose(): Promise<void>;
}

/** The memory of an engine's device, where values can stay from one run to the next. */
export interface DeviceMemory {
  /** What has crossed so far. */
  readonly traffic: Traffic;
  /** How many arrays are in it that have not been disposed. */
  readonly arrays: number;
  /** Whether arrays of a type can be in it. */
  holds(dtype: DType): boolean;
  /**
   * Compiles a program.
   *
   * @param keep outputs that stay on the device
   * @throws MeanfieldError as {@link Engine.compile}
   */
  compile(program: Program, keep: readonly string[], options?: SessionOptions): Promise<DeviceSession>;
  /** A copy on the device. @param type default: a vector of float32 */
  upload(array: HostArray, type?: TensorType): Promise<DeviceArray>;
  /** A copy in this process. */
  download(array: DeviceArray): Promise<HostArray>;
}

/** Values with their shape, for a graph whose sizes a run tells. What is fed again should be the same object again. */
export interface ShapedArray {
  readonly data: HostArray;
  readonly shape: readonly number[];
}

/** A compiled program whose sizes a run tells. */
export interface AnySizeSession {
  /**
   * Runs once.
   *
   * @param feeds values for each input
   * @param into where to write every output; one may be fed as well, where the graph writes it in place
   * @throws Error when an input or output is missing or does not fit
   */
  run(feeds: Readonly<Record<string, ShapedArray>>, into: Readonly<Record<string, ShapedArray>>): Promise<void>;
  dispose(): Promise<void>;
}

/** An engine that compiles programs whose sizes a run tells. */
export type AnySizeEngine = Engine & { readonly compileAnySize: NonNullable<Engine['compileAnySize']> };

/** Compiles and runs ONNX programs on one kind of device. All rules about its buffers stay behind this interface. */
export interface Engine {
  readonly name: string;
  /** What to lower graphs for. */
  readonly target: Target;
  /** True where a view of a larger buffer is fed and written without a copy, so a model can be one vector. */
  readonly views: boolean;
  /** Missing where values cannot stay on the device from one run to the next: each run is fed and read anew then. */
  readonly memory?: DeviceMemory | undefined;
  compile(program: Program, options?: SessionOptions): Promise<Session>;
  /** Compiles a program whose sizes a run tells; absent where that is not done. Its constants are not needed afterwards. */
  readonly compileAnySize?:
    | ((program: AnySizeProgram, options?: SessionOptions) => Promise<AnySizeSession>)
    | undefined;
}

/** Checks feeds and destinations before they reach native code, whose own messages say less. */
export function checkArrays(program: Program, feeds: HostArrays, into: HostArrays): void {
  for (const [name, type] of program.inputs) checkArray('input', name, type, feeds[name]);
  for (const [name, array] of Object.entries(into)) {
    const type = program.outputs.get(name);
    if (!type) throw new Error(`the program has no output ${name}`);
    checkArray('output', name, type, array);
  }
}

/** The array that holds values of a type. */
export const arrayTypes = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
} as const;

/** The type of the values that an array holds. */
export function dtypeOf(array: HostArray): keyof typeof arrayTypes {
  const found = Object.entries(arrayTypes).find(([, type]) => array instanceof type);
  return found![0] as keyof typeof arrayTypes;
}

/** Checks one array. */
export function checkArray(
  what: 'input' | 'output',
  name: string,
  { shape, dtype }: TensorType,
  array: HostArray | undefined,
): void {
  const size = shape.reduce((product, n) => product * n, 1);
  const type = arrayTypes[dtype];
  if (!(array instanceof type) || array.length !== size) {
    const got = array ? `${array.constructor.name} of ${array.length}` : 'nothing';
    throw new Error(`${what} ${name}: expected ${type.name} of ${size} values for [${shape.join(', ')}], got ${got}`);
  }
}
