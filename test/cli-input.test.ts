import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { jsonLines, meanfield, type Outcome, TINY, text, workFolder } from './command.js';

const at = workFolder();

beforeAll(async () => {
  await writeFile(at('good.txt'), text(4000));
  await writeFile(at('empty.txt'), '');
  await writeFile(
    at('binary.bin'),
    Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) % 256),
  );
  await writeFile(at('short.txt'), 'too short');
  const latin = Buffer.from(text(4000));
  latin[1234] = 0xe9;
  await writeFile(at('latin.txt'), latin);
});

function expectRefusal(outcome: Outcome, code: number, ...expected: (string | RegExp)[]): void {
  expect(outcome.stderr).toMatch(/error: /);
  for (const part of expected) expect(outcome.stderr).toMatch(part);
  expect(outcome.stderr).not.toMatch(/\n {4}at /);
  expect(outcome.stderr.slice(outcome.stderr.indexOf('error: ')).trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  expect(outcome.code).toBe(code);
}

describe('text that cannot be trained on', () => {
  test.each([
    ['missing.txt', /missing\.txt/],
    ['empty.txt', /empty\.txt.*empty|empty.*empty\.txt/i],
    ['binary.bin', /binary\.bin is not a text file/],
    ['short.txt', /context|window|9 tokens/],
  ])('%s is refused by name', async (name, reason) => {
    const outcome = await meanfield('train', at(name), '--run', at('runs', name), ...TINY);
    expectRefusal(outcome, 1, reason);
    expect(outcome.stdout).toBe('');
  });

  test('the error is a JSON line as well', async () => {
    const outcome = await meanfield('train', at('missing.txt'), '--run', at('runs/json'), '--json');
    expectRefusal(outcome, 1, 'missing.txt');
    const [error, ...more] = jsonLines(outcome).filter(({ type }) => type === 'error');
    expect(error).toMatchObject({ type: 'error', message: expect.stringContaining('missing.txt') });
    expect(more).toEqual([]);
    expect(jsonLines(outcome).at(-1)).toEqual(error);
  });

  test('invalid UTF-8 is refused by chars with its offset, and kept by bytes', async () => {
    const chars = await meanfield('train', at('latin.txt'), '--run', at('runs/latin'), ...TINY, '--tokenizer', 'chars');
    expectRefusal(chars, 1, /1234/, /latin\.txt/);
    const bytes = await meanfield('train', at('latin.txt'), '--run', at('runs/bytes'), ...TINY, '--json');
    expect(bytes.stderr).not.toContain('error');
    expect(bytes.code).toBe(0);
  });
});

describe('options that cannot be', () => {
  test.each([
    [['--preset', 'huge'], /huge.*nano, micro/],
    [['--outer', 'median'], /median.*average, nesterov/],
    [['--frobnicate'], /--frobnicate[\s\S]*--until-loss/],
    [['--steps', 'many'], /--steps.*many/],
    [['--outer-momentum', '2'], /--outer-momentum/],
    [['--steps', '5', '--minutes', '1'], /--steps and --minutes/],
    [['--width', '30', '--heads', '4'], /30.*heads.*4|width.*heads/],
    [['--model', 'llama', '--heads', '4', '--kv-heads', '3'], /kv|key/i],
  ])('%j is wrong usage', async (options, reason) => {
    const outcome = await meanfield('train', at('good.txt'), '--run', at('runs/options'), ...options);
    expectRefusal(outcome, 2, reason);
  });

  test('nothing to train on is wrong usage', async () => {
    expectRefusal(await meanfield('train', '--run', at('runs/nothing')), 2, /file/);
  });

  test('--debug shows where an error comes from', async () => {
    const outcome = await meanfield('train', at('missing.txt'), '--run', at('runs/debug'), '--debug');
    expect(outcome.stderr).toMatch(/\n {4}at /);
    expect(outcome.code).toBe(1);
  });
});

describe('folders that hold no model', () => {
  test.each(['info', 'generate'])('%s says so', async (command) => {
    expectRefusal(await meanfield(command, at('nowhere')), 1, /nowhere/);
  });

  test('eval says so', async () => {
    expectRefusal(await meanfield('eval', at('nowhere'), at('good.txt')), 1, /nowhere/);
  });
});
