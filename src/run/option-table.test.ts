import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { OptionDefinition } from '../base/option-table.js';
import { TRAIN_GROUPS, TRAIN_OPTIONS } from './option-table.js';

const options: Readonly<Record<string, OptionDefinition>> = TRAIN_OPTIONS;

test('the groups are all options, each once', () => {
  const grouped = Object.values(TRAIN_GROUPS).flatMap((table) => Object.keys(table));
  expect(grouped.sort()).toEqual(Object.keys(TRAIN_OPTIONS).sort());
});

test('what editors show of an option names the default that it has', async () => {
  const source = await readFile(new URL('option-table.ts', import.meta.url), 'utf8');
  const described = [...source.matchAll(/^ {2}\/\*\* (.+) \*\/\n {2}(\w+):/gm)];
  expect(described.map(([, , name]) => name).sort()).toEqual(Object.keys(TRAIN_OPTIONS).sort());
  const told = described.flatMap(([, text, name]) => {
    const value = options[name!]!.default;
    return value === undefined ? [] : [[name, /Default `?([^`]+?)`?\.$/.exec(text!)?.[1], String(value)]];
  });
  expect(told.length).toBeGreaterThan(15);
  expect(told.filter(([, says, is]) => says !== is)).toEqual([]);
});
