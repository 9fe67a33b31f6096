import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build, type InlineConfig } from 'tsdown';
import ts from 'typescript';
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
  const pages = ['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'];
  expect(files.sort()).toEqual([...pages, 'dist', 'docs', 'examples', 'package.json']);
  expect(await readdir(at('node_modules/meanfield/docs'))).toEqual([
    'chat.md',
    'cluster-file.md',
    'cluster.md',
    'command-line.md',
    'concepts.md',
    'data.md',
    'distillation.md',
    'first-model.md',
    'gguf.md',
    'graph.md',
    'kubernetes.md',
    'linpack.md',
    'models.md',
    'numerics.md',
    'own-model.md',
    'planner.md',
    'run-folder.md',
    'scale.md',
    'serve.md',
    'slurm.md',
    'top500.md',
    'web.md',
  ]);
  expect(existsSync(at('node_modules/meanfield/dist/web/index.html'))).toBe(true);
  expect(await readFile(at('node_modules/meanfield/LICENSE'), 'utf8')).toMatch(/Apache License\n\s*Version 2\.0/);
});

test('editors show what an option is for, from the declarations in it', () => {
  const using = at('using.ts');
  const code =
    "import type { PlanOptions, TrainOptions } from 'meanfield';\n" +
    'export const options: TrainOptions = { corpus: [], kvHeads: 2 };\n' +
    'export const asked: PlanOptions = { globalBatch: 2 };';
  const files = ts.createLanguageService({
    getScriptFileNames: () => [using],
    getScriptVersion: () => '1',
    getScriptSnapshot: (name) => {
      const content = name === using ? code : ts.sys.readFile(name);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: at,
    getCompilationSettings: () => ({ module: ts.ModuleKind.NodeNext, strict: true, skipLibCheck: true, types: [] }),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
  });
  for (const [name, about] of [
    ['kvHeads', /^Heads of keys and values/],
    ['globalBatch', /^Sequences of a step, over all replicas/],
  ] as const) {
    const shown = files.getQuickInfoAtPosition(using, code.indexOf(name))!;
    expect(ts.displayPartsToString(shown.displayParts)).toBe(`(property) ${name}?: number | undefined`);
    expect(ts.displayPartsToString(shown.documentation)).toMatch(about);
  }
});

test('it brings no more than it needs: what the README says, and one install script', async () => {
  const lock = JSON.parse(await readFile(at('node_modules/.package-lock.json'), 'utf8'));
  const packages = lock.packages as Record<string, { readonly hasInstallScript?: boolean }>;
  const scripts = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  expect(scripts.map(([path]) => path)).toEqual(['node_modules/onnxruntime-node']);
  const [, said] = /brings about (\d+) MB/.exec(await readFile(`${root}README.md`, 'utf8'))!;
  const megabytes = (await sizeOf(at('node_modules'))) / 1e6;
  expect(megabytes).toBeLessThanOrEqual(345);
  expect(Math.abs(megabytes - Number(said))).toBeLessThan(0.05 * megabytes);
});

/** Bytes of the files below a folder. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map(async (entry) =>
    entry.isFile() ? (await stat(join(entry.parentPath, entry.name))).size : 0,
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

test('every link of its pages leads somewhere in it', async () => {
  const folder = at('node_modules/meanfield');
  const pages = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.md'));
  const dead: string[] = [];
  for (const page of pages) {
    for (const [, link] of (await readFile(join(folder, page), 'utf8')).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue;
      const target = join(folder, dirname(page), link!);
      if (!target.startsWith(folder) || !existsSync(target)) dead.push(`${page}: ${link}`);
    }
  }
  expect(dead).toEqual([]);
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

test('it gives the typed API', { timeout: 180_000 }, async () => {
  await writeFile(at('use.ts'), USE);
  const compilerOptions = { strict: true, noEmitOnError: true, target: 'es2022', module: 'nodenext', types: [] };
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const bundler = { ...compilerOptions, module: 'esnext', moduleResolution: 'bundler', noEmit: true };
  await writeFile(at('tsconfig.json'), JSON.stringify({ compilerOptions: bundler, files: ['use.ts'] }));
  expect((await run(process.execPath, [tsc], options()).catch((error) => error)).stdout).toBe('');
  await writeFile(at('tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
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

test('it works under require, in a thread of its own, and beside a bundle', async () => {
  await writeFile(at('required.cjs'), "console.log(Object.keys(require('meanfield')).includes('train'));");
  const hush = ['--disable-warning=ExperimentalWarning'];
  expect((await run(process.execPath, [...hush, 'required.cjs'], options())).stdout).toBe('true\n');
  await writeFile(at('small.js'), SMALL);
  await writeFile(
    at('thread.js'),
    "import { Worker } from 'node:worker_threads'; new Worker(new URL('./small.js', import.meta.url));",
  );
  expect((await run(process.execPath, ['thread.js'], options())).stdout).toMatch(/^step 5\n$/);
  const out = at('bundled');
  await build({ config: false, cwd: at(), entry: ['small.js'], outDir: out, ...BUNDLED });
  await writeFile(join(out, 'package.json'), '{ "type": "module" }');
  expect((await run(process.execPath, [join(out, 'small.js')], options())).stdout).toMatch(/^step 5\n$/);
});

/** As docs/first-model.md tells those who bundle. */
const BUNDLED: InlineConfig = {
  format: 'esm',
  platform: 'node',
  fixedExtension: false,
  dts: false,
  logLevel: 'error',
  deps: { neverBundle: ['meanfield'] },
};

/** Trains a little, wherever it runs. */
const SMALL = `
import { train } from 'meanfield';

const run = 'runs/small-' + process.pid + '-' + Math.random();
const sizes = { layers: 1, width: 16, heads: 2, context: 8, tokenizer: 'bytes', batchSize: 2, threads: 1, steps: 5 };
console.log('step', (await train({ corpus: ['book.txt'], run, ...sizes }).result).step);
`;

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
