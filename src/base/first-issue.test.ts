import { expect, test } from 'vitest';
import { z } from 'zod';
import { firstIssue } from './first-issue.js';

test('of several things that are wrong the outermost, and where it is', () => {
  const schema = z.object({ run: z.object({ steps: z.number() }), name: z.string() });
  const { error } = schema.safeParse({ run: { steps: 'many' }, name: 1 });
  expect(firstIssue(error!)).toBe('✖ Invalid input: expected string, received number   → at name');
});
