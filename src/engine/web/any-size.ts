import type { InferenceSession, Tensor, TypedTensor } from 'onnxruntime-common';
import type { AnySizeProgram } from '../../graph/index.js';
import { type AnySizeSession, dtypeOf, type HostArray, type ShapedArray } from '../engine.js';

/** How ONNX Runtime makes a tensor. */
type MakeTensor = new (type: Tensor.Type, data: Tensor.DataType, shape: readonly number[]) => TypedTensor<Tensor.Type>;

/**
 * A program whose sizes a run tells, on WASM. What is fed is copied into its memory and what is written out of it, at each
 * run: what does not change belongs into the program's constants.
 */
export class WebAnySizeSession implements AnySizeSession {
  constructor(
    private readonly session: InferenceSession,
    private readonly program: Pick<AnySizeProgram, 'inputs' | 'outputs'>,
    private readonly Tensor: MakeTensor,
  ) {}

  async run(feeds: Readonly<Record<string, ShapedArray>>, into: Readonly<Record<string, ShapedArray>>): Promise<void> {
    const given: Record<string, TypedTensor<Tensor.Type>> = {};
    for (const name of this.program.inputs) {
      const { data, shape } = there('input', name, feeds[name]);
      given[name] = new this.Tensor(dtypeOf(data), data, shape);
    }
    for (const name of this.program.outputs) there('output', name, into[name]);
    const results = await this.session.run(given);
    for (const name of this.program.outputs) {
      const values = (await results[name]!.getData(true)) as HostArray;
      const { data } = into[name]!;
      if (values.length !== data.length)
        throw new Error(`output ${name}: expected ${data.length} values, got ${values.length}`);
      (data as Float32Array).set(values as Float32Array);
    }
  }

  async dispose(): Promise<void> {
    await this.session.release();
  }
}

function there(what: string, name: string, array: ShapedArray | undefined): ShapedArray {
  if (!array) throw new Error(`${what} ${name}: nothing is given`);
  return array;
}
