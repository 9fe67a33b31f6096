import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ADAPTER_OPTIONS, EVALUATE_OPTIONS, GENERATE_OPTIONS, LOAD_OPTIONS } from './option-table.js';

test('editors show what each option is for', async () => {
  const source = await readFile(new URL('option-table.ts', import.meta.url), 'utf8');
  const described = [...source.matchAll(/^ {2}(?:\/\*\* .+ \*\/| \*\/)\n {2}(\w+):/gm)];
  const names = [LOAD_OPTIONS, ADAPTER_OPTIONS, GENERATE_OPTIONS, EVALUATE_OPTIONS].flatMap((table) =>
    Object.keys(table),
  );
  expect(described.map(([, name]) => name).sort()).toEqual(names.sort());
});
