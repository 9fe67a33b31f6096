import type { DType, Program, Target } from '../graph/index.js';

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
}

/** Compiles and runs ONNX programs on one kind of device. All rules about its buffers stay behind this interface. */
export interface Engine {
  readonly name: string;
  /** What to lower graphs for. */
  readonly target: Target;
  /** True where a view of a larger buffer is fed and written without a copy, so a model can be one vector. */
  readonly views: boolean;
  compile(program: Program, options?: SessionOptions): Promise<Session>;
}

/** Checks feeds and destinations before they reach native code, whose own messages say less. */
export function checkArrays(program: Program, feeds: HostArrays, into: HostArrays): void {
  for (const [name, { shape, dtype }] of program.inputs) checkArray('input', name, shape, dtype, feeds[name]);
  for (const [name, array] of Object.entries(into)) {
    const type = program.outputs.get(name);
    if (!type) throw new Error(`the program has no output ${name}`);
    checkArray('output', name, type.shape, type.dtype, array);
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

function checkArray(what: string, name: string, shape: readonly number[], dtype: DType, array?: HostArray): void {
  const size = shape.reduce((product, n) => product * n, 1);
  const type = arrayTypes[dtype];
  if (!(array instanceof type) || array.length !== size) {
    const got = array ? `${array.constructor.name} of ${array.length}` : 'nothing';
    throw new Error(`${what} ${name}: expected ${type.name} of ${size} values for [${shape.join(', ')}], got ${got}`);
  }
}
