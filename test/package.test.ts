import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { jsonLines, TINY, text, workFolder } from './command.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const at = workFolder();
/** npm and npx as they come with Node; a shell finds them on Windows. */
const options = () => ({ cwd: at(), shell: process.platform === 'win32', maxBuffer: 2 ** 26 });

beforeAll(async () => {
  await run('npm', ['pack', '--pack-destination', at()], { ...options(), cwd: root });
  const [tarball] = (await readdir(at())).filter((name) => name.endsWith('.tgz'));
  await writeFile(at('package.json'), JSON.stringify({ name: 'newcomer', private: true, type: 'module' }));
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', `./${tarball}`], options());
  await writeFile(at('book.txt'), text(4000));
}, 300_000);

test('the package holds what it should and no more', async () => {
  const files = await readdir(at('node_modules/meanfield'));
  expect(files.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'examples', 'package.json']);
  expect(await readdir(at('node_modules/meanfield/docs'))).toEqual([
    'cluster-file.md',
    'cluster.md',
    'command-line.md',
    'concepts.md',
    'kubernetes.md',
    'numerics.md',
    'planner.md',
    'run-folder.md',
    'slurm.md',
    'top500.md',
  ]);
  expect(await readFile(at('node_modules/meanfield/LICENSE'), 'utf8')).toMatch(/Apache License\n\s*Version 2\.0/);
});

test('it gives the command', async () => {
  const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8'));
  expect((await run('npx', ['--offline', 'meanfield', '--version'], options())).stdout).toBe(`${version}\n`);
  const train = await run(
    'npx',
    ['--offline', 'meanfield', 'train', 'book.txt', '--run', 'runs/a', ...TINY, '--json'],
    options(),
  );
  expect(jsonLines({ code: 0, signal: null, ...train }).at(-1)).toMatchObject({ type: 'result', step: 20 });
  const generate = await run('npx', ['--offline', 'meanfield', 'generate', 'runs/a', '--max-tokens', '5'], options());
  expect(generate.stdout.length).toBeGreaterThan(4);
});

test('it gives the typed API', async () => {
  await writeFile(at('use.ts'), USE);
  const compilerOptions = { strict: true, noEmitOnError: true, target: 'es2022', module: 'nodenext', types: [] };
  await writeFile(at('tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const compiled = await run(process.execPath, [tsc], options()).catch((error) => error);
  expect(compiled.stdout).toBe('');
  const { stdout } = await run(process.execPath, ['use.js'], options());
  const said = JSON.parse(stdout);
  expect(said).toEqual({
    steps: [10, 20],
    step: 20,
    text: expect.any(String),
    tokens: text(4000).length - 1,
    refused: 'UsageError 2',
  });
  expect(said.text.length).toBeGreaterThan(0);
});

/** A program of a newcomer, in which each type is one that the package exports. */
const USE = `
import { load, train, UsageError, type TrainOptions, type TrainResult } from 'meanfield';

declare const console: { log(text: string): void };

const options: TrainOptions = {
  corpus: ['book.txt'], run: 'runs/b', layers: 1, width: 16, heads: 2, context: 8, tokenizer: 'bytes',
  batchSize: 2, threads: 1, steps: 20, syncEvery: 5, evalEvery: 10,
};
const steps: number[] = [];
const training = train(options);
for await (const event of training) if (event.type === 'evaluation') steps.push(event.step);
const result: TrainResult = await training.result;

const model = await load('runs/b');
let text = '';
for await (const piece of model.generate({ prompt: 'the ', maxTokens: 8 })) text += piece;
const { tokens } = await model.evaluate(['book.txt']);
await model.close();

// @ts-expect-error there is no such outer optimiser
const wrong: TrainOptions = { ...options, run: 'runs/c', outer: 'median' };
const refused = await train(wrong).result.catch((error: unknown) =>
  error instanceof UsageError ? error.name + ' ' + error.exitCode : 'accepted');
console.log(JSON.stringify({ steps, step: result.step, text, tokens, refused }));
`;
