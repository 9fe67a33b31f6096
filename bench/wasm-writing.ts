import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { load } from '../src/inference/load.js';
import { PRECISIONS, type WeightPrecision } from '../src/inference/precision.js';
import { modelFiles, type OpenPage, openPage, runtimeFiles } from '../test/browser/page.js';
import { parseArgs, table } from './lib.js';

/** Products of a token of SmolLM2-135M, and how many there are of each. */
const PRODUCTS = [
  { what: 'queries, keys and values', inputs: 576, outputs: 960, count: 30 },
  { what: 'out of attention', inputs: 576, outputs: 576, count: 30 },
  { what: 'gate and up', inputs: 576, outputs: 1536, count: 60 },
  { what: 'down', inputs: 1536, outputs: 576, count: 30 },
  { what: 'head', inputs: 576, outputs: 49152, count: 1 },
] as const;

interface Speed {
  readonly tokensPerSecond: number;
  readonly text: string;
}

/**
 * `npm run bench -- wasm-writing [--model FOLDER] [--tokens 64] [--rounds 3] [--repeats 20]`: tokens a second of greedy writing in
 * Chromium's WASM, one thread, in each precision of weights, beside Node with one; then the operators of its products alone,
 * with DynamicQuantizeMatMul, which no model here uses. The best of all rounds counts.
 *
 * MODEL is SmolLM2-135M-Instruct in the folder MEANFIELD_MODELS unless given.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const folder = resolve(options.model ?? join(process.env.MEANFIELD_MODELS ?? '', 'SmolLM2-135M-Instruct'));
  if (!existsSync(join(folder, 'config.json')))
    return console.log('Skipped: name a model by --model or MEANFIELD_MODELS.');
  const opened = await openPage({ models: dirname(folder) });
  try {
    const tokens = Number(options.tokens ?? 64);
    const rows: string[][] = [];
    for (const precision of PRECISIONS) {
      const best = { wasm: 0, node: 0 };
      const same = new Set<boolean>();
      for (let round = 0; round < Number(options.rounds ?? 3); round++) {
        const here = await inNode(folder, precision, tokens);
        const there = await inPage(opened, basename(folder), precision, tokens);
        best.node = Math.max(best.node, here.tokensPerSecond);
        best.wasm = Math.max(best.wasm, there.tokensPerSecond);
        same.add(here.text === there.text);
      }
      const [node, wasm] = [best.node.toFixed(1), best.wasm.toFixed(1)];
      rows.push([precision, wasm, node, (best.node / best.wasm).toFixed(1), same.has(false) ? 'no' : 'yes']);
    }
    table(['weights', 'tokens/s in Chromium', 'tokens/s in Node', 'Node ÷ Chromium', 'the same text'], rows);
    await products(opened, Number(options.repeats ?? 20));
  } finally {
    await opened.close();
  }
}

/** Of a second text: the first has compiled what it needs. */
function texts(tokens: number) {
  const prompt = 'The sea was calm that night, and';
  const all = { prompt, temperature: 0, stopAtEnd: false };
  return [
    { ...all, maxTokens: 2 },
    { ...all, maxTokens: tokens },
  ];
}

async function inNode(folder: string, precision: WeightPrecision, tokens: number): Promise<Speed> {
  await using model = await load(folder, { precision, threads: 1 });
  const [first, second] = texts(tokens);
  await model.generate(first).result();
  return await model.generate(second).result();
}

async function inPage({ page }: OpenPage, name: string, precision: WeightPrecision, tokens: number): Promise<Speed> {
  const task = {
    ...{ model: `${modelFiles}${name}`, texts: texts(tokens) },
    options: { precision, runtime: runtimeFiles },
  };
  // What the page before held is freed with it.
  await page.reload();
  await page.waitForFunction(() => 'writeInPage' in globalThis);
  return (await page.evaluate((given) => globalThis.writeInPage(given), task))[1]!;
}

async function products({ page }: OpenPage, repeats: number): Promise<void> {
  await page.reload();
  await page.waitForFunction(() => 'timeProductsInPage' in globalThis);
  const task = {
    sizes: PRODUCTS.map(({ inputs, outputs }) => [inputs, outputs] as const),
    ...{ repeats, web: { files: runtimeFiles } },
  };
  const times = await page.evaluate((given) => globalThis.timeProductsInPage(given), task);
  const kinds = ['fp32', 'int8', 'int4', 'dynamic'] as const;
  const sum = (kind: (typeof kinds)[number]) =>
    PRODUCTS.reduce((total, { count }, i) => total + count * times[i]![kind], 0);
  table(
    [
      'a row by weights, ms, best',
      'Gemm, fp32',
      'MatMulNBits, int8',
      'MatMulNBits, int4',
      'DynamicQuantizeMatMul, one scale',
    ],
    [
      ...PRODUCTS.map(({ what, inputs, outputs }, i) => [
        `${what}, ${inputs} × ${outputs}`,
        ...kinds.map((kind) => times[i]![kind].toFixed(3)),
      ]),
      ['all of a token', ...kinds.map((kind) => sum(kind).toFixed(1))],
    ],
  );
}
