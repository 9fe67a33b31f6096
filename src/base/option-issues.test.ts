import { expect, test } from 'vitest';
import { z } from 'zod';
import { optionIssues } from './option-issues.js';
import { CODE, COMMAND_LINE, type Spelling } from './spelling.js';

const schema = z.strictObject({ topP: z.number().max(1).optional(), model: z.enum(['a', 'b']).optional() });
const issues = (value: unknown, spelling: Spelling = COMMAND_LINE) =>
  optionIssues(schema.safeParse(value, { reportInput: true }).error!, spelling);

test('what is wrong says what was expected and what came', () => {
  expect(issues({ topP: 2, model: 'c' })).toBe(
    '--top-p Too big: expected number to be <=1, got 2; --model expected one of "a"|"b", got "c"',
  );
  expect(issues({ topP: 2 }, CODE)).toBe('`topP` Too big: expected number to be <=1, got 2');
  expect(issues('Once')).toBe('options: expected object, received string, got "Once"');
  expect(issues({ topP: 1n })).toBe('--top-p expected number, received bigint, got 1');
  expect(issues('x'.repeat(300))).toMatch(/got "x{199}…$/);
  expect(issues({ beams: 4 })).toMatch(/^options: Unrecognized key: "beams"/);
});
