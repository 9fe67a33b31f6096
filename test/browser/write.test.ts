import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CharsTokenizer } from '../../src/data/tokenizers/chars.js';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { loadModel } from '../../src/hub/load-model.js';
import { load } from '../../src/inference/load.js';
import { PRECISIONS, type WeightPrecision } from '../../src/inference/precision.js';
import { createDecoder } from '../../src/inference/sequence-decoder.js';
import { weightsIn } from '../../src/inference/weights.js';
import { expanded } from '../../src/inference/weights.test-support.js';
import { browserThere, modelFiles, type OpenPage, openPage, runtimeFiles } from './page.js';

const families = ['gpt2', 'llama'] as const;
const fixtures = fileURLToPath(new URL('../fixtures/models/', import.meta.url));

/** A fixture's weights with a tokenizer that has a character for each of its tokens: a text tells which they were. */
async function writeModel(folder: string): Promise<void> {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  const points = Array.from({ length: config.vocab_size }, (_, id) => 0x30 + id);
  for (const [name, text] of Object.entries(new CharsTokenizer(points).files()))
    await writeFile(join(folder, name), text);
}

describe.skipIf(!browserThere)('writing in Chromium on WASM (skipped without the browser)', () => {
  let models: string;
  let opened: OpenPage;
  const options = (precision: WeightPrecision) => ({ precision, runtime: runtimeFiles });

  beforeAll(async () => {
    models = await mkdtemp(join(tmpdir(), 'meanfield-models-'));
    for (const family of families) {
      await cp(join(fixtures, family), join(models, family), { recursive: true });
      await writeModel(join(models, family));
    }
    opened = await openPage({ models });
  }, 120_000);

  afterAll(async () => {
    await opened?.close();
    await rm(models, { recursive: true, force: true });
  });

  it.each([
    ['gpt2', false],
    ['llama', false],
    ['llama', true],
  ] as const)('writes the tokens that Node writes: %s, its files handed over: %s', async (family, given) => {
    // Longer than the context of both: the last half is read anew.
    const texts = [
      { prompt: 'ABBA', maxTokens: 60, temperature: 0 },
      { prompt: '', maxTokens: 20, seed: 5 },
    ];
    const task = { model: `${modelFiles}${family}`, given, options: options('fp32'), texts };
    const written = await opened.page.evaluate((what) => globalThis.writeInPage(what), task);
    await using model = await load(join(models, family));
    for (const [i, { text, tokens, stopped, promptTokens, pieces }] of written.entries()) {
      const expected = await model.generate(texts[i]).result();
      expect({ text, tokens, stopped, promptTokens }).toEqual({
        text: expected.text,
        tokens: expected.tokens,
        stopped: expected.stopped,
        promptTokens: expected.promptTokens,
      });
      expect(text).toHaveLength(texts[i]!.maxTokens);
      expect(pieces.join('')).toBe(text);
    }
  });

  it.each(families.flatMap((family) => PRECISIONS.map((precision) => [family, precision] as const)))(
    'scores tokens as Node scores them: %s in %s',
    async (family, precision) => {
      const ids = Array.from({ length: 12 }, (_, i) => (i * 7) % 31);
      const task = { model: `${modelFiles}${family}`, precision, ids, web: { files: runtimeFiles } };
      const actual = await opened.page.evaluate((given) => globalThis.scoreInPage(given), task);
      const { model, parameters } = await loadModel(join(models, family));
      const scoresIn = async (kept: WeightPrecision) => {
        const weights = weightsIn(kept, model, model.layout.views(parameters));
        // WASM rounds weights alone; what Node multiplies by them is rounded to 8 bits there.
        const given = kept === 'fp32' ? parameters : expanded(model, parameters, weights);
        const decoder = createDecoder({ model, engine: new NodeEngine(), parameters: given });
        const scores: number[] = [];
        for (const id of ids) scores.push(...(await decoder.step([id])).logits);
        await decoder.dispose();
        return scores;
      };
      const worst = (scores: readonly number[]) => Math.max(...scores.map((x, i) => Math.abs(x - actual[i]!)));
      expect(worst(await scoresIn(precision))).toBeLessThan(1e-4);
      for (const other of PRECISIONS)
        if (other !== precision) expect(worst(await scoresIn(other))).toBeGreaterThan(1e-3);
    },
  );

  it('says what is wrong with an option or a model', async () => {
    const fail = (model: string, given: object = {}, texts: object[] = []) =>
      opened.page.evaluate((task) => globalThis.failInPage(task), {
        model,
        options: { runtime: runtimeFiles, ...given },
        texts,
      });
    const model = `${modelFiles}llama`;
    expect(await fail(model, { precision: 'int2' })).toMatch(/^UsageError: .*precision.*fp32.*got "int2"/);
    expect(await fail(model, { device: 'cpu' })).toMatch(/^UsageError: .*device.*precision, threads, runtime/);
    expect(await fail(`${modelFiles}none`)).toMatch(/^MeanfieldError: http.*\/models\/none has no config\.json/);
    expect(await fail(model, {}, [{ prompt: 'é' }])).toMatch(/^EncodeError: /);
    expect(await fail(model, {}, [{ maxTokens: -1 }])).toMatch(/^UsageError: .*maxTokens/);
  });
});
