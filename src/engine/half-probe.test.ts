import { describe, expect, it } from 'vitest';
import type { Engine, HostArrays } from './engine.js';
import { probeHalf } from './half-probe.js';
import { NodeEngine } from './node/engine.js';

/** An engine whose runs take as long as they are told to. */
function pretended(run: (look: number) => { values: number; milliseconds: number }) {
  let [clock, looks] = [0, 0];
  const engine: Engine = {
    name: 'pretended',
    target: 'webgpu',
    views: false,
    compile: async (program) => ({
      program,
      run: async (): Promise<Record<string, Float32Array>> => {
        const { values, milliseconds } = run(looks++);
        clock += milliseconds;
        return { some: new Float32Array(8 * 1024).fill(values) };
      },
      dispose: async () => {},
    }),
  };
  return { engine, now: () => clock };
}

describe('probeHalf', () => {
  it('finds products right that are rounded to fp16, and none where a provider has no kernel for them', async () => {
    // The CPU's provider rounds, and computes in float32.
    const cpu = new NodeEngine();
    const compile: Engine['compile'] = (program) => cpu.compile({ ...program, target: 'cpu' });
    const engine: Engine = { name: 'WebGPU lowered to the CPU', target: 'webgpu', views: false, compile };
    const { right, gain } = await probeHalf(engine, 'fp16');
    expect(right).toBe(true);
    expect(gain).toBeGreaterThan(0);
    const none = await probeHalf(engine, 'bf16');
    expect(none).toMatchObject({ right: false, gain: 0 });
    expect(none.reason).toMatch(/MatMul|Gemm/);
    expect(await probeHalf(cpu, 'fp16')).toEqual({ right: false, gain: 0, reason: 'it computes in float32' });
  });

  it('tells the gain of the best runs, the first left out', async () => {
    const { engine, now } = pretended((look) => ({
      values: 1,
      milliseconds: [80, 7, 5, 8, 9, 90, 30, 20, 20, 40][look]!,
    }));
    expect(await probeHalf(engine, 'fp16', {}, now)).toEqual({ right: true, gain: 4 });
  });

  it('believes no products that are wrong', async () => {
    const { engine, now } = pretended((look) => ({ values: look < 5 ? 1.1 : 1, milliseconds: 1 }));
    expect(await probeHalf(engine, 'fp16', {}, now)).toEqual({
      right: false,
      gain: 0,
      reason: 'its products are wrong',
    });
    const nothing: HostArrays = { some: new Float32Array(8 * 1024).fill(Number.NaN) };
    const broken = { ...engine, compile: async () => ({ run: async () => nothing, dispose: async () => {} }) };
    expect((await probeHalf(broken as unknown as Engine, 'fp16')).right).toBe(false);
  });
});
