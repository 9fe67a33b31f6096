import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeInt8 } from '../../src/engine/int8-probe.js';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { expectSameLosses } from './losses.js';
import { browserThere, type OpenPage, openPage, runtimeFiles } from './page.js';
import { type Lesson, learn, Member } from './pages/lesson.js';
import type { PageTask } from './pages/train.js';

const text = (await readFile(new URL('../../examples/tinyshakespeare.txt', import.meta.url), 'utf8')).slice(0, 1000);
const families = ['gpt2', 'llama'] as const;

/** Losses of the CPU, and beside them those of the page. */
async function compare(opened: OpenPage, task: PageTask) {
  const { losses: expected } = await learn(new NodeEngine(), task);
  const { losses: actual } = await opened.page.evaluate((given) => globalThis.trainInPage(given), task);
  return { expected, actual };
}

describe.skipIf(!browserThere)('training in Chromium (skipped without the browser)', () => {
  const lesson = (family: Lesson['family'], steps: number) => ({ family, text, steps });
  let isolated: OpenPage;
  let plain: OpenPage;

  beforeAll(async () => {
    isolated = await openPage();
    plain = await openPage({ isolated: false });
  }, 120_000);

  afterAll(async () => {
    await isolated?.close();
    await plain?.close();
  });

  it.each(families)('gives the losses of the CPU on WASM with two threads: %s', async (family) => {
    const task = { ...lesson(family, 20), device: 'wasm' as const, web: { files: runtimeFiles, threads: 2 } };
    expectSameLosses(await compare(isolated, task));
  });

  it('trains with products in 8 bits on WASM as on the CPU', async ({ skip }) => {
    skip(!(await probeInt8(new NodeEngine())).exact, 'this processor has no exact products in 8 bits');
    const task = {
      ...lesson('gpt2', 20),
      int8: true,
      device: 'wasm' as const,
      web: { files: runtimeFiles, threads: 2 },
    };
    const losses = await compare(isolated, task);
    // A value whose last digit differs may be another code, a hundredth of its size away.
    expectSameLosses(losses, { first: 1e-3, later: 0.02 });
    expect(losses.expected).not.toEqual((await learn(new NodeEngine(), { ...task, int8: false })).losses);
  });

  it('runs with one thread where memory is not shared, and says why it cannot with two', async () => {
    const web = { files: runtimeFiles, threads: 2 };
    const answer = await plain.page.evaluate((given) => globalThis.startInPage('wasm', given), web);
    expect(answer).toMatch(/^MeanfieldError: 2 threads need .*Cross-Origin-Opener-Policy/);
    const task = { ...lesson('gpt2', 20), device: 'wasm' as const, web: { files: runtimeFiles } };
    expectSameLosses(await compare(plain, task));
  });

  it('says so when the browser has no WebGPU', async () => {
    const answer = await isolated.page.evaluate(async (given) => {
      Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
      return globalThis.startInPage('webgpu', given);
    }, {});
    expect(answer).toMatch(/^MeanfieldError: This browser has no WebGPU/);
  });
});

describe.skipIf(!browserThere)(
  'training in Chromium on WebGPU, drawn by SwiftShader (skipped without the browser)',
  () => {
    const args = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    const task = { family: 'gpt2', text, device: 'webgpu', web: { files: runtimeFiles } } as const;
    let opened: OpenPage;

    beforeAll(async () => {
      opened = await openPage({ args });
    }, 120_000);
    afterAll(() => opened?.close());

    it('gives the losses of the CPU, its vectors on the GPU from step to step: over 200 steps no buffer more', async () => {
      const long = { ...task, steps: 200 };
      const page = await opened.page.evaluate((given) => globalThis.trainInPage(given), long);
      const { losses, evaluated } = await learn(new NodeEngine(), { ...long, steps: 8 });
      expectSameLosses({ actual: page.losses.slice(0, 8), expected: losses });
      expect(page.evaluated).not.toBe(evaluated);
      for (const { toDevice, toHost } of page.crossed.slice(1)) {
        expect(toDevice).toBe(page.batchBytes + 16);
        expect(toHost).toBe(8);
      }
      expect(new Set(page.arrays)).toEqual(new Set([4]));
      // Buffers are kept for the next run: their number settles in the first steps.
      expect(page.buffers[10]).toBeGreaterThan(4);
      expect(Math.max(...page.buffers.slice(10))).toBe(Math.max(...page.buffers.slice(10, 20)));
    }, 300_000);

    it('is averaged with a replica on the CPU after each round, as two on the CPU are', async () => {
      const [steps, rounds] = [4, 2];
      const mean = (a: readonly number[], b: readonly number[]) => a.map((x, i) => Math.fround((x + b[i]!) / 2));
      const here = await Member.open(new NodeEngine(), { ...task, first: 10 });
      const both = [
        await Member.open(new NodeEngine(), task),
        await Member.open(new NodeEngine(), { ...task, first: 10 }),
      ];
      await opened.page.evaluate((given) => globalThis.member.open({ ...given, steps: 0 }), task);
      for (let round = 0; round < rounds; round++) {
        const there = await opened.page.evaluate((count) => globalThis.member.train(count), steps);
        const own = await here.train(steps);
        const [a, b] = [await both[0]!.train(steps), await both[1]!.train(steps)];
        for (const [mine, expected] of [
          [there, a],
          [own, b],
        ] as const)
          for (const [i, loss] of mine.losses.entries())
            expect(Math.abs(loss / expected.losses[i]! - 1), `round ${round}, step ${i}`).toBeLessThan(1e-3);
        const averaged = mean(there.parameters, own.parameters);
        here.take(averaged);
        await opened.page.evaluate((given) => globalThis.member.take(given), averaged);
        const expected = mean(a.parameters, b.parameters);
        for (const member of both) member.take(expected);
        expect(Math.max(...averaged.map((x, i) => Math.abs(x - expected[i]!)))).toBeLessThan(5e-3);
      }
    }, 180_000);
  },
);
