import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { expectSameLosses } from './losses.js';
import { browserThere, type OpenPage, openPage, runtimeFiles } from './page.js';
import { type Lesson, trainLesson } from './pages/lesson.js';
import type { PageTask } from './pages/train.js';

const text = (await readFile(new URL('../../examples/tinyshakespeare.txt', import.meta.url), 'utf8')).slice(0, 1000);
const families = ['gpt2', 'llama'] as const;

/** Losses of the CPU, and beside them those of the page. */
async function compare(opened: OpenPage, task: PageTask) {
  const expected = await trainLesson(new NodeEngine(), task);
  const actual = await opened.page.evaluate((given) => globalThis.trainInPage(given), task);
  return { expected, actual };
}

describe.skipIf(!browserThere)('training in Chromium (skipped without the browser)', () => {
  const lesson = (family: Lesson['family'], steps: number) => ({ family, text, steps });
  let isolated: OpenPage;
  let plain: OpenPage;

  beforeAll(async () => {
    isolated = await openPage();
    plain = await openPage({ isolated: false });
  });

  afterAll(async () => {
    await isolated?.close();
    await plain?.close();
  });

  it.each(families)('gives the losses of the CPU on WASM with two threads: %s', async (family) => {
    const task = { ...lesson(family, 20), device: 'wasm' as const, web: { files: runtimeFiles, threads: 2 } };
    expectSameLosses(await compare(isolated, task));
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
    it('gives the losses of the CPU', async () => {
      const opened = await openPage({ args: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] });
      try {
        const task: PageTask = { family: 'gpt2', text, steps: 8, device: 'webgpu', web: { files: runtimeFiles } };
        expectSameLosses(await compare(opened, task));
      } finally {
        await opened.close();
      }
    }, 180_000);
  },
);
