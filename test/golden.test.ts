import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeInt8 } from '../src/engine/int8-probe.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { type GoldenCurve, goldenOptions, goldenRuns } from './golden.js';
import { Trainer } from './trainer.js';

/*
 * A change of the losses is a change of the numerics: find out why before the files are written anew, which
 * UPDATE_GOLDEN=1 npx vitest run test/golden.test.ts
 * does. Kernels differ with a processor's instructions, so other machines need agree to 1e-4 only; here two runs must
 * agree to the bit.
 */
let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

describe.each(Object.entries(goldenRuns))('the losses of %s', (name, options) => {
  it('are the same bits in two runs, and those that are kept', async ({ skip }) => {
    const int8 = options.precision === 'int8';
    skip(int8 && !(await probeInt8(new NodeEngine())).exact, 'this processor has no exact products in 8 bits');
    const curves: GoldenCurve[] = [];
    for (const run of [`${name} 1`, `${name} 2`]) {
      const { result, error } = await trainer.train(run, { ...goldenOptions, ...options });
      expect(error).toBeUndefined();
      if (int8)
        expect(JSON.parse(await readFile(join(trainer.path(run), 'run.json'), 'utf8')).chosen.precision).toBe('int8');
      curves.push({ losses: await trainer.losses(run), val_loss: result!.valLoss });
    }
    expect(curves[1]).toEqual(curves[0]);
    const file = new URL(`fixtures/golden/${name}.json`, import.meta.url);
    if (process.env.UPDATE_GOLDEN) {
      await mkdir(new URL('.', file), { recursive: true });
      await writeFile(file, `${JSON.stringify(curves[0], null, 1)}\n`);
    }
    const kept: GoldenCurve = JSON.parse(await readFile(file, 'utf8'));
    const [actual, expected] = [curves[0]!, kept].map((curve) => [...curve.losses, curve.val_loss]);
    expect(expected).toHaveLength(31);
    // A value that another processor has in its last digit otherwise may be another code.
    for (const [i, loss] of expected!.entries())
      expect(Math.abs(actual![i]! / loss - 1), `step ${i}`).toBeLessThan(int8 ? 2e-3 : 1e-4);
    expect(expected![29]).toBeLessThan(expected![0]! - 0.3);
  });
});
