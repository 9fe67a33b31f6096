import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { buildChild, type ChildProgram, kill, nextOutput } from '../child.js';
import { expectSameLosses } from './losses.js';
import { type Learned, type Lesson, learn, VARIANTS, type Variant } from './pages/lesson.js';

/** Chromium's own Vulkan driver, a processor that draws in software. */
const driver = process.env.MEANFIELD_VULKAN_DRIVER ?? '/usr/lib/chromium/vk_swiftshader_icd.json';
const there = process.env.MEANFIELD_REQUIRE_BROWSER === '1' || existsSync(driver);

describe.skipIf(!there)('training in Node on WebGPU, drawn by SwiftShader (skipped without Chromium)', () => {
  let trainer: ChildProgram;
  let text: string;

  beforeAll(async () => {
    trainer = await buildChild('webgpu-trainer');
    const file = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
    text = (await readFile(file, 'utf8')).slice(0, 1000);
  });
  afterAll(() => trainer?.remove());
  afterEach(() => vi.unstubAllEnvs());

  const lesson = (steps: number, more: Partial<Lesson> = {}): Lesson => ({ family: 'llama', text, steps, ...more });

  /** What comes of lessons in a process that has the device. */
  async function onDevice(...lessons: Lesson[]): Promise<Learned[]> {
    vi.stubEnv('VK_ICD_FILENAMES', driver);
    // Chromium brings the Vulkan loader too, for machines that have none.
    vi.stubEnv('LD_LIBRARY_PATH', dirname(driver));
    const child = trainer.start(JSON.stringify(lessons));
    const answer = await nextOutput(child);
    await kill(child);
    expect(answer, 'the trainer ended without an answer').toBeDefined();
    return JSON.parse(answer!);
  }

  /** What a step feeds beside its batch and four numbers, in bytes: of the sizes of these lessons. */
  const beside: Partial<Record<Variant, number>> = {
    // Of 7 places each, a number for every row and column of activations.
    dropout: 2176,
    // ONNX Runtime has no buffers of int8 on a device, so the codes are fed at every step.
    'adapter on int8': 24_576,
  };

  it('keeps its vectors on the device between steps, and follows the CPU', async () => {
    const lessons = VARIANTS.map((variant) => lesson(6, { variant }));
    const learned = await onDevice(...lessons);
    for (const [i, variant] of VARIANTS.entries()) {
      const { crossed, arrays, batchBytes, ...mine } = learned[i]!;
      const expected = await learn(new NodeEngine(), lessons[i]!);
      for (const what of ['losses', 'norms'] as const)
        for (const [step, value] of mine[what].entries())
          expect(Math.abs(value / expected[what][step]! - 1), `${variant}, ${what} of step ${step}`).toBeLessThan(
            step === 0 ? 1e-5 : 2e-3,
          );
      expect(Math.abs(mine.evaluated / expected.evaluated - 1), variant).toBeLessThan(2e-3);
      const parts = variant === 'micro-batches' ? 3 : 1;
      for (const { toDevice, toHost } of crossed.slice(1)) {
        // Learning rate, the gradient's scale and both corrections go in; losses and the norm come out.
        expect(toDevice, variant).toBe(batchBytes + 4 * 4 + (beside[variant] ?? 0));
        expect(toHost, variant).toBe(4 * parts + 4);
      }
      // The vectors themselves crossed once.
      expect(crossed[0]!.toDevice, variant).toBeGreaterThan(crossed[1]!.toDevice + 10_000);
      expect(new Set(arrays).size, variant).toBe(1);
    }
  }, 300_000);

  it('learns, gives the same bits again, and those of an uninterrupted run after a checkpoint', async () => {
    const [once, again, resumed] = await onDevice(lesson(12), lesson(12), lesson(12, { resumeAt: 5 }));
    expect(again!.hash).toBe(once!.hash);
    expect(resumed!.hash).toBe(once!.hash);
    expect([again!.losses, resumed!.losses]).toEqual([once!.losses, once!.losses]);
    const { losses, crossed } = await learn(new NodeEngine(), lesson(12));
    expect(crossed).toEqual([]);
    expectSameLosses({ actual: once!.losses, expected: losses });
  }, 300_000);

  it('learns with products in fp16 (skipped on a device without shader-f16)', async ({ skip }) => {
    const [learned] = await onDevice(lesson(12, { half: 'fp16' }));
    const { reason } = learned as unknown as { readonly reason?: string };
    // It says so in words of its own, and goes on.
    if (reason !== undefined) expect(reason).toMatch(/f16/);
    skip(reason !== undefined, reason);
    const { losses } = await learn(new NodeEngine(), lesson(12));
    for (const [step, loss] of learned!.losses.entries())
      expect(Math.abs(loss / losses[step]! - 1), `step ${step}`).toBeLessThan(0.01);
    // One number more goes in: the scale of the loss.
    for (const { toDevice } of learned!.crossed.slice(1)) expect(toDevice).toBe(learned!.batchBytes + 4 * 5);
  }, 180_000);
});
