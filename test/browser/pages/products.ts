import { Random } from '../../../src/base/random.js';
import type { Engine, ShapedArray } from '../../../src/engine/engine.js';
import { blockProduct, encodeAnySize, gemm, input } from '../../../src/graph/index.js';
import { apply1, type Operator } from '../../../src/graph/tensor.js';
import { BLOCKS, storeBlocks } from '../../../src/model/block-weights.js';

/** Products of one row to be timed. */
export interface ProductTask {
  /** What comes in and goes out. */
  readonly sizes: readonly (readonly [inputs: number, outputs: number])[];
  readonly repeats: number;
}

/** Weights in 8 bits with one scale, activations with one of their own: ONNX Runtime's operator, which no model here uses. */
const dynamicProduct = {
  name: 'dynamicProduct',
  infer: ([x, codes]) => [{ shape: [x!.shape[0]!, codes!.shape[1]!], dtype: 'float32' }],
  lower: {
    wasm: (e, _node, inputs) => e.emit('DynamicQuantizeMatMul', inputs, {}, { domain: 'com.microsoft' }),
  },
} satisfies Operator;

/** Milliseconds of each product of one row, the best of all repeats: with what a run costs of itself, which is the same for all. */
export async function timeProducts(engine: Engine, { sizes, repeats }: ProductTask) {
  const times: Record<'fp32' | 'int8' | 'int4' | 'dynamic', number>[] = [];
  for (const [inputs, outputs] of sizes) {
    const random = new Random(1);
    const weights = Float32Array.from({ length: inputs * outputs }, () => 0.1 * random.normal());
    const row = Float32Array.from({ length: inputs }, () => random.normal());
    const time = { fp32: 0, int8: 0, int4: 0, dynamic: 0 };
    for (const kind of Object.keys(time) as (keyof typeof time)[]) {
      const session = await engine.compileAnySize!(programOf(engine, kind, { inputs, outputs, weights }));
      const feeds: Record<string, ShapedArray> = { x: { data: row, shape: [1, inputs] } };
      const into = { y: { data: new Float32Array(outputs), shape: [1, outputs] } };
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < repeats; run++) {
        const start = performance.now();
        await session.run(feeds, into);
        best = Math.min(best, performance.now() - start);
      }
      time[kind] = best;
      await session.dispose();
    }
    times.push(time);
  }
  return times;
}

function programOf(
  { target }: Engine,
  kind: 'fp32' | 'int8' | 'int4' | 'dynamic',
  { inputs: I, outputs: O, weights }: { inputs: number; outputs: number; weights: Float32Array },
) {
  const constants = new Map<string, Float32Array | Uint8Array>();
  const sizes = [{ name: 'rows', at: ['x', 0] }] as const;
  const stored = kind === 'int8' || kind === 'int4' ? storeIn(kind === 'int8' ? 8 : 4) : undefined;
  function storeIn(bits: 4 | 8) {
    const block = BLOCKS[bits];
    const { codes, scales } = storeBlocks(weights, { rows: 'outputs', inputs: I, outputs: O }, bits, block);
    constants.set('codes', codes).set('scales', scales);
    return { bits, block, blocks: Math.ceil(I / block) };
  }
  if (kind === 'fp32') constants.set('w', weights);
  if (kind === 'dynamic') {
    const scale = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0) / 127;
    const codes = new Uint8Array(I * O);
    for (let o = 0; o < O; o++)
      for (let i = 0; i < I; i++) codes[i * O + o] = 128 + Math.round(weights[o * I + i]! / scale);
    constants.set('w', codes).set('scale', Float32Array.of(scale)).set('zero', Uint8Array.of(128));
  }
  return encodeAnySize(
    sizes,
    ({ rows }) => {
      const x = input('x', [rows, I]);
      if (kind === 'fp32') return { y: gemm(x, input('w', [O, I]), undefined, { transB: true }) };
      if (stored) {
        const { bits, block, blocks } = stored;
        const codes = input('codes', [O, blocks, (block * bits) / 8], 'uint8');
        return { y: blockProduct(x, { codes, scales: input('scales', [O, blocks]), bits, inputs: I }) };
      }
      const given = [x, input('w', [I, O], 'uint8'), input('scale', [1]), input('zero', [1], 'uint8')];
      return { y: apply1(dynamicProduct, given) };
    },
    target,
    constants,
  );
}
