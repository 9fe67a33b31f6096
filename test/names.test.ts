import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const src = new URL('../src', import.meta.url).pathname;
const declaration = /^export (?:abstract )?(?:interface|type|class) ([A-Za-z0-9_]+)\b(?! as )/gm;

/** Names of exported types that stand in more than one file, with the files. */
function twice(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  const where = new Map<string, string[]>();
  for (const { path, text } of files)
    for (const [, name] of text.matchAll(declaration)) where.set(name!, [...(where.get(name!) ?? []), path]);
  return [...where].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(', ')}`);
}

it('no two types have one name, so that a search finds the one that is meant', async () => {
  const names = (await readdir(src, { recursive: true })).filter((name) => /(?<!\.test|-support)\.ts$/.test(name));
  const files = names.sort().map(async (path) => ({ path, text: await readFile(join(src, path), 'utf8') }));
  expect(twice(await Promise.all(files))).toEqual([]);
});

it('sees every form of a type', () => {
  const a = { path: 'a.ts', text: 'export interface Run {}\nexport type Step = 1;\nexport abstract class Host {}' };
  const b = { path: 'b.ts', text: 'export class Run {}\nexport type { Step } from "./a.js";\ninterface Host {}' };
  expect(twice([a, b])).toEqual(['Run: a.ts, b.ts']);
});
