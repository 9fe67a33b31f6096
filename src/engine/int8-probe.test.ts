import { describe, expect, it } from 'vitest';
import { type Program, sizeOf } from '../graph/index.js';
import type { Engine, HostArrays } from './engine.js';
import { probeInt8 } from './int8-probe.js';
import { NodeEngine } from './node/engine.js';
import { WebEngine } from './web/engine.js';

/** What programs of the probe would give on a processor whose pairs of products saturate at 16 bits. */
function saturating(feeds: HostArrays, program: Program): HostArrays {
  const [a, b] = [feeds.a!, feeds.b!] as [Uint8Array, Int8Array];
  const [M, K] = program.inputs.get('a')!.shape as [number, number];
  const N = b.length / K;
  const product = new Float32Array(M * N);
  for (let m = 0; m < M; m++)
    for (let n = 0; n < N; n++)
      for (let k = 0; k < K; k += 2) {
        const pair = a[m * K + k]! * b[k * N + n]! + a[m * K + k + 1]! * b[(k + 1) * N + n]!;
        product[m * N + n]! += Math.max(-32768, Math.min(32767, pair));
      }
  return { product };
}

/** An engine that runs by a function. */
const engineOf = (
  run: (feeds: HostArrays, program: Program) => HostArrays,
  target: Engine['target'] = 'cpu',
): Engine => ({
  name: 'pretended',
  target,
  views: false,
  compile: async (program) => ({
    program,
    run: async (feeds) => ({ ...run(feeds, program) }),
    dispose: async () => {},
  }),
});

describe('the probe of products in 8 bits', () => {
  it('finds them exact here, or says that they are not', async () => {
    const { exact, gain } = await probeInt8(new NodeEngine());
    expect(gain > 0).toBe(exact);
    if (exact) expect(gain).toBeGreaterThan(0.3);
  });

  it('finds them exact in WASM', async () => {
    expect((await probeInt8(await WebEngine.create('wasm'))).exact).toBe(true);
  });

  it('tells a processor that saturates, and a target without them', async () => {
    expect(await probeInt8(engineOf(saturating))).toEqual({ exact: false, gain: 0 });
    expect(await probeInt8(engineOf(saturating, 'webgpu'))).toEqual({ exact: false, gain: 0 });
  });

  /** What is gained where a run takes so many milliseconds. */
  async function gainWhere(
    takes: (run: number, eightBits: boolean) => number,
  ): Promise<{ gain: number; runs: number }> {
    const right = new NodeEngine();
    let [clock, runs] = [0, 0];
    const engine: Engine = {
      ...engineOf(() => ({})),
      compile: async (program, options) => {
        if (program.inputs.has('a')) return right.compile(program, options);
        const eightBits =
          program.onnx.length > 0 && new TextDecoder().decode(program.onnx).includes('MatMulIntegerToFloat');
        return {
          program,
          run: async () => {
            clock += takes(runs++, eightBits);
            return Object.fromEntries(
              [...program.outputs].map(([name, { shape }]) => [name, new Float32Array(sizeOf(shape))]),
            );
          },
          dispose: async () => {},
        };
      },
    };
    const { gain } = await probeInt8(engine, {}, () => clock);
    return { gain, runs };
  }

  it('compares the fastest runs of each, the first left out', async () => {
    expect((await gainWhere((run, eightBits) => (run < 2 ? 1 : eightBits ? 20 : 50))).gain).toBe(2.5);
  });

  it('looks longer where little seems to be gained, as other work may have met the runs in 8 bits alone', async () => {
    const first = await gainWhere((_, eightBits) => (eightBits ? 20 : 50));
    const met = await gainWhere((run, eightBits) => (eightBits ? (run < 20 ? 60 : 20) : 50));
    expect(met.gain).toBe(2.5);
    expect(met.runs).toBeGreaterThan(first.runs);
    expect((await gainWhere(() => 50)).gain).toBe(1);
  });
});
