import { afterEach, describe, expect, it, vi } from 'vitest';
import { encode, input, mul, reduceSum } from '../../graph/index.js';
import { WebEngine } from './engine.js';

afterEach(() => vi.unstubAllGlobals());

/** Sum of squares and squares of three numbers. */
function trace(target: 'wasm' | 'cpu') {
  const x = input('x', [3]);
  const squares = mul(x, x);
  return encode({ squares, sum: reduceSum(squares, [0]) }, target);
}

// ONNX Runtime's WASM files also load in Node, so what needs no page is tested here; the rest is in test/browser.
describe('WebEngine on WASM', () => {
  it('computes from views, and writes into views without touching their surroundings', async () => {
    const engine = await WebEngine.create('wasm');
    const session = await engine.compile(trace('wasm'));
    const values = Float32Array.of(9, 1, 2, 3, 9);
    const written = new Float32Array(5).fill(-1);
    const outputs = await session.run({ x: values.subarray(1, 4) }, { squares: written.subarray(1, 4) });
    expect([...written]).toEqual([-1, 1, 4, 9, -1]);
    expect(outputs.squares!.buffer).toBe(written.buffer);
    expect([...outputs.sum!]).toEqual([14]);
    const again = await session.run({ x: Float32Array.of(0, 0, 2) });
    expect([...again.squares!]).toEqual([0, 0, 4]);
    expect([...written]).toEqual([-1, 1, 4, 9, -1]);
    await session.dispose();
  });

  it('refuses missing inputs, wrong lengths, programs of another target and damaged files', async () => {
    const engine = await WebEngine.create('wasm');
    const program = trace('wasm');
    const session = await engine.compile(program);
    await expect(session.run({})).rejects.toThrow(/input x: expected Float32Array of 3 .* got nothing/);
    await expect(session.run({ x: new Float32Array(4) })).rejects.toThrow(/got Float32Array of 4/);
    await expect(engine.compile(trace('cpu'))).rejects.toThrow('a program for cpu cannot run on onnxruntime-web/wasm');
    const damaged = { ...program, onnx: program.onnx.subarray(0, program.onnx.length - 9) };
    await expect(engine.compile(damaged)).rejects.toThrow(/onnxruntime-web\/wasm cannot compile the graph: /);
    await session.dispose();
  });

  it('asks for an isolated page when several threads cannot share memory', async () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    await expect(WebEngine.create('wasm', { threads: 2 })).rejects.toThrow(/Cross-Origin-Embedder-Policy/);
  });
});

describe('WebEngine on WebGPU', () => {
  it('says so where there is none', async () => {
    vi.stubGlobal('navigator', {});
    await expect(WebEngine.create('webgpu')).rejects.toThrow(/no WebGPU. Use the wasm device/);
  });
});
