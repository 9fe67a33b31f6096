import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { jsonLines, meanfield, text, workFolder } from './command.js';
import { modelPath, modelsThere } from './models/models.js';

const at = workFolder();

describe('a model that exists, from the command line', () => {
  test('is gone on with, and what it decides is refused by name', { timeout: 60_000 }, async () => {
    await writeFile(at('book.txt'), text(20_000));
    const sizes = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '16', '--steps', '5'];
    const made = await meanfield('train', at('book.txt'), '--run', at('base'), ...sizes);
    expect(made.code, made.stderr).toBe(0);
    const tuned = await meanfield(
      'train',
      at('book.txt'),
      '--from',
      at('base'),
      '--run',
      at('on'),
      '--steps',
      '5',
      '--json',
    );
    expect(tuned.code, tuned.stderr).toBe(0);
    const told = await meanfield('info', at('on'), '--json');
    expect(jsonLines(told).at(-1)).toMatchObject({
      model: { family: 'qwen3' },
      configuration: { from: at('base'), context: 16 },
      chosen: { from: { model: at('base'), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    });
    await writeFile(at('markers.txt'), '<|user|>\n\n<|helper|>\r\n');
    const add = ['--add-tokens', `@${at('markers.txt')}`, '--add-tokens', '<|end|>'];
    const more = await meanfield(
      ...['train', at('book.txt'), '--from', at('base'), '--run', at('more'), '--steps', '2', ...add],
    );
    expect(more.code, more.stderr).toBe(0);
    const { options } = JSON.parse(await readFile(at('more/run.json'), 'utf8'));
    expect(options.addTokens).toEqual(['<|user|>', '<|helper|>', '<|end|>']);
    const nowhere = await meanfield('train', at('book.txt'), '--from', at('base'), '--add-tokens', '@nowhere.txt');
    expect(nowhere.code).toBe(2);
    expect(nowhere.stderr).toContain('Cannot read nowhere.txt, a file of lines in UTF-8');
    const refused = await meanfield('train', at('book.txt'), '--from', at('base'), '--run', at('no'), '--vocab', '300');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--vocab: the model that --from names has its own. Leave it out');
  });
});

describe.skipIf(!modelsThere)('SmolLM2-135M-Instruct (needs MEANFIELD_MODELS)', () => {
  const folder = () => modelPath('SmolLM2-135M-Instruct');

  test('knows English, and tells what it is', { timeout: 120_000 }, async () => {
    await writeFile(
      at('english.txt'),
      'The capital of France is Paris, and the capital of Germany is Berlin. Water boils when it is hot.',
    );
    const measured = await meanfield('eval', folder(), at('english.txt'), '--json');
    expect(measured.code, measured.stderr).toBe(0);
    expect(jsonLines(measured).at(-1)!.perplexity).toBeLessThan(40);
    const told = await meanfield('info', folder(), '--json');
    expect(jsonLines(told).at(-1)).toMatchObject({ model: { family: 'llama', sizes: { layers: 30, context: 8192 } } });
  });

  test('is fine-tuned in its last block, with its tokenizer as it was', { timeout: 240_000 }, async () => {
    await writeFile(at('few.txt'), text(12_000));
    const some = ['--context', '16', '--batch-size', '1', '--steps', '2', '--validation-fraction', '0.02'];
    const part = ['--freeze', '*', '--freeze', '!*.layers.29.*'];
    const tuned = await meanfield('train', at('few.txt'), '--from', folder(), '--run', at('smol'), ...some, ...part);
    expect(tuned.code, tuned.stderr).toBe(0);
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      expect((await readFile(at(`smol/model/${name}`))).equals(await readFile(`${folder()}/${name}`))).toBe(true);
  });
});
