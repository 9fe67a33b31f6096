import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/** What a subpath of the package exports at run time. */
async function namesOf(subpath: string): Promise<string[]> {
  const code = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(subpath)}))))`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: root });
  return JSON.parse(stdout);
}

/** What a built file needs before its first line runs: files of ours, and packages. */
async function needs(file: string, ours = new Set<string>(), foreign = new Set<string>()) {
  if (ours.has(file)) return { ours, foreign };
  ours.add(file);
  const text = await readFile(join(root, 'dist', file), 'utf8');
  for (const [, name] of text.matchAll(/^(?:import|export) (?:[^'"]*? from )?["']([^"']+)["'];?$/gm)) {
    if (name!.startsWith('./')) await needs(name!.slice(2), ours, foreign);
    else if (!name!.startsWith('node:')) foreign.add(name!);
  }
  return { ours, foreign };
}

it.each([
  ['meanfield', ['MeanfieldError', 'UsageError', 'defineArchitecture', 'exportModel', 'load', 'plan', 'train']],
  ['meanfield/graph', ['compile', 'gradients', 'input', 'matmul', 'readParameters']],
  ['meanfield/data', ['loadTokenizer', 'readDocuments', 'readTexts', 'trainTokenizer']],
  ['meanfield/planner', ['calibrate', 'plan', 'planPage', 'readCluster', 'readModel']],
  ['meanfield/cluster', ['join', 'startCluster']],
  ['meanfield/web', ['MeanfieldError', 'UsageError', 'load']],
])('%s exports what it should', async (subpath, names) => {
  expect(await namesOf(subpath)).toEqual(expect.arrayContaining(names));
});

it('has a page and an example for each export', async () => {
  const subpaths = Object.keys(packageJson.exports).filter((name) => name !== './package.json');
  expect(subpaths).toHaveLength(6);
  const [pages, examples] = await Promise.all(
    ['README.md', 'examples/README.md'].map((name) => readFile(join(root, name), 'utf8')),
  );
  for (const subpath of subpaths.filter((name) => name !== '.')) {
    expect(pages).toContain(`\`meanfield${subpath.slice(1)}\``);
    expect(examples).toContain(
      `](${{ './graph': 'graph', './data': 'data', './planner': 'plan', './cluster': 'cluster', './web': 'web' }[subpath]}.js)`,
    );
  }
});

it("import 'meanfield' loads no package and little of ours before something is asked of it", async () => {
  const { ours, foreign } = await needs('index.js');
  expect([...foreign]).toEqual([]);
  let bytes = 0;
  for (const file of ours) bytes += (await readFile(join(root, 'dist', file))).length;
  expect(bytes).toBeLessThan(40_000);
});
