import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { buildChild, type ChildProgram, kill, nextOutput } from '../child.js';
import { expectSameLosses } from './losses.js';
import { type Lesson, trainLesson } from './pages/lesson.js';

/** Chromium's own Vulkan driver, a processor that draws in software. */
const driver = process.env.MEANFIELD_VULKAN_DRIVER ?? '/usr/lib/chromium/vk_swiftshader_icd.json';
const there = process.env.MEANFIELD_REQUIRE_BROWSER === '1' || existsSync(driver);

describe.skipIf(!there)('training in Node on WebGPU, drawn by SwiftShader (skipped without Chromium)', () => {
  let trainer: ChildProgram;

  beforeAll(async () => {
    trainer = await buildChild('webgpu-trainer');
  });
  afterAll(() => trainer?.remove());
  afterEach(() => vi.unstubAllEnvs());

  it('gives the losses of the CPU', async () => {
    const file = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
    const lesson: Lesson = { family: 'llama', text: (await readFile(file, 'utf8')).slice(0, 1000), steps: 12 };
    vi.stubEnv('VK_ICD_FILENAMES', driver);
    // Chromium brings the Vulkan loader too, for machines that have none.
    vi.stubEnv('LD_LIBRARY_PATH', dirname(driver));
    const child = trainer.start(JSON.stringify(lesson));
    const answer = await nextOutput(child);
    await kill(child);
    expect(answer, 'the trainer ended without losses').toBeDefined();
    expectSameLosses({ actual: JSON.parse(answer!), expected: await trainLesson(new NodeEngine(), lesson) });
  }, 180_000);
});
