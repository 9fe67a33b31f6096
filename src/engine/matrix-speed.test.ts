import { describe, expect, it } from 'vitest';
import type { Engine } from './engine.js';
import { measureProducts, traceProducts } from './matrix-speed.js';
import { NodeEngine } from './node/engine.js';

describe('measureProducts', () => {
  it('counts the operations of the best run', async () => {
    let clock = 0;
    const durations = [500, 40, 10, 2000];
    let disposed = false;
    const engine: Engine = {
      name: 'fake clock',
      target: 'cpu',
      views: true,
      compile: async (program) => ({
        program,
        run: async () => {
          clock += durations.shift() ?? 2000;
          return {};
        },
        dispose: async () => {
          disposed = true;
        },
      }),
    };
    // 8 products of 768³ multiplications and additions in the best run, of 10 ms; the first, of 500, warms up.
    expect(await measureProducts(engine, {}, () => clock)).toBeCloseTo((8 * 2 * 768 ** 3) / 10e-3 / 1e9, 6);
    expect(disposed).toBe(true);
  });

  it('computes a chain that stays in range, so that no product is skipped', async () => {
    const session = await new NodeEngine().compile(traceProducts('cpu'));
    const zero = await session.run({ start: Float32Array.of(0) });
    const one = await session.run({ start: Float32Array.of(1) });
    // Each product multiplies by about 1, the mean of the matrix's entries times their number.
    expect(one.sum![0]! as number).toBeCloseTo(768 ** 2, -5);
    expect(zero.sum![0]! as number).toBeGreaterThan(500);
    await session.dispose();
  });
});
