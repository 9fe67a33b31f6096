import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, gelu, gemm, input, scale } from '../graph/index.js';
import { fence, fenceRows } from './fence.js';

const engine = new NodeEngine();

async function run(outputs: ReturnType<typeof fenceRows>, feeds: Record<string, Float32Array>) {
  const program = encode(outputs, 'cpu');
  const session = await engine.compile(program);
  const results = await session.run(feeds);
  await session.dispose();
  return { values: results.y as Float32Array, onnx: Buffer.from(program.onnx).toString('latin1') };
}

const weights = { w: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(0.5, -1) };

function dense(rows: number) {
  const y = gemm(scale(input('x', [rows, 2]), 3), input('w', [2, 2]), input('b', [2]));
  return { y: gelu(y) };
}

const alpha = 3 * Math.cbrt(0.044715 * 2 * Math.sqrt(2 / Math.PI));
/** The field of an ONNX node that holds the factor folded into it. */
const folded = Buffer.from(Float32Array.of(alpha).buffer).toString('latin1');

describe('fenceRows', () => {
  it('keeps factors out of a product of one row and the value as it is', async () => {
    const feeds = { x: Float32Array.of(0.2, -0.1), ...weights };
    const plain = await run(dense(1), feeds);
    const fenced = await run(fenceRows(dense(1)), feeds);
    expect(plain.onnx).toContain(folded);
    expect(fenced.onnx).not.toContain(folded);
    // x·3·w + b = [0.2, -1]
    const expected = [0.2, -1].map((v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));
    for (const i of [0, 1]) {
      expect(plain.values[i]).toBeCloseTo(expected[i]!, 6);
      expect(fenced.values[i]).toBeCloseTo(expected[i]!, 6);
    }
  });

  it('leaves products of more rows as they are', () => {
    const outputs = dense(2);
    expect(fenceRows(outputs).y).toBe(outputs.y);
  });
});

describe('fence', () => {
  it('leaves no node behind', async () => {
    const feeds = { x: Float32Array.of(1, 2) };
    const plain = await run({ y: scale(input('x', [2]), 2) }, feeds);
    const fenced = await run({ y: fence(scale(fence(input('x', [2])), 2)) }, feeds);
    expect(fenced.values).toEqual(Float32Array.of(2, 4));
    expect(fenced.onnx).toBe(plain.onnx);
  });
});
