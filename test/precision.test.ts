import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { meanfield } from './command.js';
import { modelPath, modelsThere } from './models/models.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-precision-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.skipIf(!modelsThere)('SmolLM2-135M-Instruct in fewer bits', () => {
  // Enough tokens that the change is that of many texts to some tenths of a percent.
  test.each([
    ['int8', 0.5],
    ['int4', 3],
  ])(
    'in %s costs at most %f percent of its loss',
    async (precision, most) => {
      const play = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
      const file = join(folder, 'play.txt');
      await writeFile(file, play.slice(100_000, 108_000));
      const model = modelPath('SmolLM2-135M-Instruct');
      const { code, stdout } = await meanfield('eval', model, file, '--precision', precision, '--json');
      expect(code).toBe(0);
      const result = JSON.parse(stdout.trim().split('\n').at(-1)!);
      expect(result).toMatchObject({ type: 'result', precision });
      expect(result.loss).not.toBe(result.fp32_loss);
      expect(100 * (result.loss / result.fp32_loss - 1)).toBeLessThan(most);
    },
    600_000,
  );

  test('writes the same text for the same seed', async () => {
    const model = modelPath('SmolLM2-135M-Instruct');
    const write = () =>
      meanfield('generate', model, '--prompt', 'The capital of France is', '--max-tokens', '12', '--precision', 'int8');
    const first = await write();
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('Paris');
    expect((await write()).stdout).toBe(first.stdout);
  }, 600_000);
});
