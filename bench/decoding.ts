import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeEngine } from '../src/engine/node/engine.js';
import { exportModel } from '../src/export/export-model.js';
import { loadModel } from '../src/hub/load-model.js';
import { PRECISIONS, type WeightPrecision } from '../src/inference/precision.js';
import { createDecoder } from '../src/inference/sequence-decoder.js';
import type { SequenceDecoder } from '../src/inference/sequences.js';
import { weightsIn } from '../src/inference/weights.js';
import { lossOf, randomModel, writeTogether } from './decoding-more.js';
import { median, type Outcome, parseArgs, root, runJson, table } from './lib.js';

/** What llama.cpp has beside each of ours: blocks of 32 weights with a scale, in 8 and 4 bits. */
const PEERS = { int8: 'q8_0', int4: 'q4_0' } as const satisfies Partial<Record<WeightPrecision, string>>;

const FIGURES = ['prompt_per_second', 'tokens_per_second', 'cpu_ms_a_token'] as const;
type Figures = Readonly<Record<(typeof FIGURES)[number], number>>;

/**
 * `npm run bench -- decoding [--model FOLDER] [--prompt 1024] [--tokens 128] [--threads 1] [--rounds 3]`: one sequence, read
 * and written in each precision of weights, beside llama.cpp by the node-llama-cpp in the folder MEANFIELD_PROGRAMS.
 *
 * `--together 1,4,16` measures so many sequences that are written together instead, with `--preset gpt2-124m` of random
 * weights; `--text FILE` the loss of a text in each precision.
 *
 * MODEL is SmolLM2-135M-Instruct in the folder MEANFIELD_MODELS unless given.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const [prompt, tokens, threads, rounds] = (
    [
      ['prompt', 1024],
      ['tokens', 128],
      ['threads', 1],
      ['rounds', 3],
    ] as const
  ).map(([name, otherwise]) => Number(options[name] ?? otherwise)) as [number, number, number, number];
  const sizes = { counts: options.together?.split(',').map(Number) ?? [1], tokens, threads, rounds };
  if (options.preset) return writeTogether(randomModel(options.preset), sizes);
  const folder = options.model ?? join(process.env.MEANFIELD_MODELS ?? '', 'SmolLM2-135M-Instruct');
  if (!existsSync(join(folder, 'config.json')))
    return console.log('Skipped: name a model by --model or MEANFIELD_MODELS.');
  if (options.text) return lossOf(folder, options.text, threads);
  if (options.together) return writeTogether(await loadModel(folder), sizes);
  const temporary = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  const measured = new Map<string, Figures[]>();
  const keep = (name: string, figures: Figures) => measured.set(name, [...(measured.get(name) ?? []), figures]);
  const decoders = await openDecoders(folder, threads);
  const llama = await llamaCpp();
  const skipped = new Map<string, string>();
  try {
    const files = new Map<WeightPrecision, string>();
    if (llama.module)
      for (const [precision, dtype] of Object.entries(PEERS) as [WeightPrecision, (typeof PEERS)['int8' | 'int4']][]) {
        const out = join(temporary, `${dtype}.gguf`);
        await exportModel(folder, { to: 'gguf', dtype, out });
        files.set(precision, out);
      }
    for (let round = 0; round < rounds; round++) {
      for (const precision of PRECISIONS) {
        keep(precision, await measure(decoders[precision], prompt, tokens));
        const peer = nameOf(precision);
        if (peer === undefined || skipped.has(peer)) continue;
        const outcome = await theirs(llama, files.get(precision), { prompt, tokens, threads });
        if (outcome.skipped) skipped.set(peer, outcome.skipped);
        else keep(peer, outcome as unknown as Figures);
      }
    }
  } finally {
    for (const decoder of Object.values(decoders)) await decoder.dispose();
    await rm(temporary, { recursive: true, force: true });
  }
  console.log(
    `\n### A prompt of ${prompt} tokens, and ${tokens} after 8; ${threads} threads; node-llama-cpp ${llama.version}`,
  );
  report(measured, skipped);
}

const nameOf = (precision: WeightPrecision): string | undefined =>
  precision === 'fp32' ? undefined : `llama.cpp ${PEERS[precision].toUpperCase()}`;

async function openDecoders(folder: string, threads: number): Promise<Record<WeightPrecision, SequenceDecoder>> {
  const { model, parameters } = await loadModel(folder);
  const views = model.layout.views(parameters);
  const open = (precision: WeightPrecision) =>
    createDecoder({
      model,
      parameters: weightsIn(precision, model, views),
      engine: new NodeEngine(),
      compile: { threads },
    });
  return { fp32: open('fp32'), int8: open('int8'), int4: open('int4') };
}

async function measure(decoder: SequenceDecoder, prompt: number, tokens: number): Promise<Figures> {
  const ids = Array.from({ length: prompt }, (_, i) => 1000 + ((i * 7919) % 20_000));
  // What is met for the first time is no figure.
  await read(decoder, ids.slice(0, 256));
  const start = performance.now();
  await read(decoder, ids);
  const prompt_per_second = (1000 * prompt) / (performance.now() - start);
  let logits = await read(decoder, ids.slice(0, 8));
  const [begun, before] = [performance.now(), process.cpuUsage()];
  for (let i = 0; i < tokens; i++) ({ logits } = await decoder.step([best(logits)]));
  const { user, system } = process.cpuUsage(before);
  return {
    prompt_per_second,
    tokens_per_second: (1000 * tokens) / (performance.now() - begun),
    cpu_ms_a_token: (user + system) / 1000 / tokens,
  };
}

async function read(decoder: SequenceDecoder, ids: readonly number[]): Promise<Float32Array> {
  decoder.clear();
  for (let at = 0; ; ) {
    const { taken, logits } = await decoder.step(ids.slice(at));
    at += taken;
    if (at === ids.length) return logits;
  }
}

function best(logits: Float32Array): number {
  let at = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[at]!) at = id;
  return at;
}

export async function llamaCpp(): Promise<{ readonly module?: string; readonly version: string }> {
  const folder = join(process.env.MEANFIELD_PROGRAMS ?? '', 'node_modules/node-llama-cpp');
  if (!existsSync(join(folder, 'package.json'))) return { version: 'not installed' };
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
  return { module: join(folder, 'dist/index.js'), version };
}

export function theirs(
  { module }: { readonly module?: string },
  file: string | undefined,
  sizes: Readonly<Record<'prompt' | 'tokens' | 'threads', number>>,
): Promise<Outcome> | Outcome {
  if (module === undefined || file === undefined) return { skipped: 'no node-llama-cpp in MEANFIELD_PROGRAMS' };
  const words = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return runJson(process.execPath, [`${root}bench/peers/llama-generate.mjs`, module, file, ...words]);
}

function report(measured: ReadonlyMap<string, readonly Figures[]>, skipped: ReadonlyMap<string, string>): void {
  const middle = (name: string, figure: keyof Figures) => {
    const all = measured.get(name)?.map((figures) => figures[figure]);
    return all === undefined ? Number.NaN : median(all);
  };
  const ratio = (name: string, other: string | undefined, figure: keyof Figures) => {
    const times = other === undefined ? Number.NaN : middle(name, figure) / middle(other, figure);
    return Number.isNaN(times) ? '' : times.toFixed(2);
  };
  const rows: string[][] = [];
  for (const precision of PRECISIONS) {
    const peer = nameOf(precision);
    for (const name of [precision, peer].filter((each) => each !== undefined)) {
      const reason = skipped.get(name);
      rows.push([
        name === precision ? `Meanfield, ${precision}` : name,
        ...(reason === undefined
          ? FIGURES.map((figure) => middle(name, figure).toFixed(1))
          : [`skipped: ${reason}`, '', '']),
        name === precision ? ratio(name, peer, 'prompt_per_second') : '',
        name === precision ? ratio(name, peer, 'tokens_per_second') : '',
        ratio(name, 'fp32', 'tokens_per_second'),
      ]);
    }
  }
  table(
    [
      '',
      'prompt, tokens/s',
      'written, tokens/s',
      'CPU ms a token',
      'prompt × peer',
      'written × peer',
      'written × our fp32',
    ],
    rows,
  );
}
