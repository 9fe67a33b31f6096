/**
 * Graphs of one's own: traced tensors, their operators, gradients, and numbers out of them.
 *
 * @example
 * import { compile, gradients, input, mul, reduceSum } from 'meanfield/graph';
 *
 * const x = input('x', [3]);
 * const y = reduceSum(mul(x, x), [0]);
 * const graph = await compile({ y, slope: gradients(y, [x])[0]! });
 * console.log(await graph.run({ x: [1, 2, 3] })); // y: 14, slope: 2, 4, 6
 * await graph.close();
 *
 * @packageDocumentation
 */
import { MeanfieldError, UsageError } from './base/errors.js';
import { arrayTypes, type HostArray } from './engine/engine.js';
import type { DeviceChoice } from './engine/node/device-names.js';
import { encode, formatShape, sizeOf, type Tensor } from './graph/index.js';

export type { HostArray } from './engine/engine.js';
export { gradients } from './graph/gradients.js';
export {
  type AttentionOptions,
  type AttentionSpan,
  abs,
  add,
  addAll,
  attention,
  broadcastTo,
  type ConstantData,
  concat,
  constant,
  crossEntropy,
  type DType,
  div,
  erf,
  exp,
  gather,
  gelu,
  geluErf,
  gemm,
  input,
  layerNorm,
  linearCrossEntropy,
  linearDistillation,
  log,
  matmul,
  maximum,
  minimum,
  mul,
  pick,
  place,
  reduceMax,
  reduceMean,
  reduceSum,
  reduceSumSquare,
  repeatHeads,
  reshape,
  rmsNorm,
  rotary,
  type Shape,
  scalar,
  scale,
  scatterAdd,
  shift,
  sigmoid,
  silu,
  softcap,
  softmax,
  split,
  sqrt,
  stopGradient,
  sub,
  type Tensor,
  tanh,
  transpose,
} from './graph/index.js';
export type { LinearDistillationOptions } from './graph/operators/distillation.js';
export type { LinearCrossEntropyOptions } from './graph/operators/loss.js';
export type { GemmOptions, MatmulOptions } from './graph/operators/product.js';

/** How {@link compile} computes. */
export interface CompileOptions {
  /** Where. Default `cpu`. */
  readonly device?: DeviceChoice;
  /** Of one run, the calling one included. Default 1. */
  readonly threads?: number;
}

/** A graph that is ready to run. A run blocks the thread that asks for it. */
export interface CompiledGraph<Name extends string = string> {
  /**
   * Computes every output.
   *
   * @param feeds values for each input by its name, in row-major order
   * @returns values of each output, in row-major order
   * @throws UsageError for an input that is missing, unknown, or of another size or type
   */
  run(feeds: Readonly<Record<string, ArrayLike<number> | ArrayLike<bigint>>>): Promise<Record<Name, HostArray>>;
  /** Frees its memory. */
  close(): Promise<void>;
  /** {@link close}, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Compiles what tensors depend on for ONNX Runtime.
 *
 * @param outputs what is to be computed, by name
 * @throws MeanfieldError when the device is not available
 *
 * @example
 * import { compile, input, tanh } from 'meanfield/graph';
 *
 * const graph = await compile({ y: tanh(input('x', [2])) });
 * console.log((await graph.run({ x: [0, 1] })).y);
 * await graph.close();
 */
export async function compile<Name extends string>(
  outputs: Readonly<Record<Name, Tensor>>,
  { device = 'cpu', threads = 1 }: CompileOptions = {},
): Promise<CompiledGraph<Name>> {
  const { chooseDevice, createEngine } = await import('./engine/node/create.js');
  const engine = await createEngine(await chooseDevice(device));
  const program = encode(outputs, engine.target);
  const session = await engine.compile(program, { threads });
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    await session.dispose();
  };
  return {
    async run(feeds) {
      if (!open) throw new MeanfieldError('The graph is closed. Compile it again to go on.');
      const arrays: Record<string, HostArray> = {};
      for (const [name, { shape, dtype }] of program.inputs) arrays[name] = valuesOf(name, shape, dtype, feeds[name]);
      const [unknown] = Object.keys(feeds).filter((name) => !program.inputs.has(name));
      if (unknown !== undefined)
        throw new UsageError(`There is no input ${unknown}. Allowed: ${[...program.inputs.keys()].join(', ')}.`);
      return (await session.run(arrays)) as Record<Name, HostArray>;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function valuesOf(
  name: string,
  shape: readonly number[],
  dtype: keyof typeof arrayTypes,
  values: ArrayLike<number> | ArrayLike<bigint> | undefined,
): HostArray {
  const size = sizeOf(shape);
  if (values?.length !== size)
    throw new UsageError(
      `Expected ${size} values of ${dtype} for the input ${name} of shape ${formatShape(shape)}, got ` +
        `${values === undefined ? 'none' : `${values.length}`}.`,
    );
  const type = arrayTypes[dtype];
  if (values instanceof type) return values;
  try {
    return type === BigInt64Array
      ? BigInt64Array.from(values as ArrayLike<number>, BigInt)
      : (type as Float32ArrayConstructor).from(values as ArrayLike<number>);
  } catch (error) {
    throw new UsageError(`Expected values of ${dtype} for the input ${name}, but ${(error as Error).message}.`);
  }
}

/**
 * The parameters of a model of one's own by name, as `train` keeps the best of them.
 *
 * @param run the run's folder
 * @throws MeanfieldError when there is no model or a file of it is damaged
 *
 * @example
 * import { readParameters } from 'meanfield/graph';
 *
 * const { slope } = await readParameters('runs/line');
 * console.log(slope);
 */
export async function readParameters(run: string): Promise<Record<string, Float32Array>> {
  const { findModelFolder } = await import('./hub/find-model.js');
  const { readModelFolder } = await import('./hub/model-folder.js');
  const folder = await readModelFolder(await findModelFolder(run));
  try {
    const found: Record<string, Float32Array> = {};
    for (const name of folder.weights.tensors.keys()) found[name] = await folder.weights.readFloat32(name);
    return found;
  } finally {
    await folder.close();
  }
}
