import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { PLAN_GROUPS, PLAN_OPTIONS } from './option-table.js';

test('the groups are all options, each once', () => {
  const grouped = Object.values(PLAN_GROUPS).flatMap((table) => Object.keys(table));
  expect(grouped.sort()).toEqual(Object.keys(PLAN_OPTIONS).sort());
});

test('editors show what each option is for', async () => {
  const source = await readFile(new URL('option-table.ts', import.meta.url), 'utf8');
  const described = [...source.matchAll(/^ {2}\/\*\* .+ \*\/\n {2}(\w+):/gm)];
  expect(described.map(([, name]) => name).sort()).toEqual(Object.keys(PLAN_OPTIONS).sort());
});
