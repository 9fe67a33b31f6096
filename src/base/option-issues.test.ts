import { expect, test } from 'vitest';
import { z } from 'zod';
import { optionIssues, optionName } from './option-issues.js';

const schema = z.strictObject({ topP: z.number().max(1).optional(), model: z.enum(['a', 'b']).optional() });
const issues = (value: unknown) => optionIssues(schema.safeParse(value, { reportInput: true }).error!);

test('options are named as the command line spells them', () => {
  expect(['model', 'topP', 'kvHeads'].map(optionName)).toEqual(['--model', '--top-p', '--kv-heads']);
});

test('what is wrong says what was expected and what came', () => {
  expect(issues({ topP: 2, model: 'c' })).toBe(
    '--top-p Too big: expected number to be <=1, got 2; --model expected one of "a"|"b", got "c"',
  );
  expect(issues('Once')).toBe('options: expected object, received string, got "Once"');
  expect(issues({ topP: 1n })).toBe('--top-p expected number, received bigint, got 1');
  expect(issues('x'.repeat(300))).toMatch(/got "x{199}…$/);
  expect(issues({ beams: 4 })).toMatch(/^options: Unrecognized key: "beams"/);
});
