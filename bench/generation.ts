import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../src/base/json.js';
import { Random } from '../src/base/random.js';
import { BytesTokenizer } from '../src/data/index.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { loadModel } from '../src/hub/load-model.js';
import { writeModelFolder } from '../src/hub/model-folder.js';
import { ContextWindow } from '../src/inference/context-window.js';
import { Sampler } from '../src/inference/sampler.js';
import { createDecoder } from '../src/inference/sequence-decoder.js';
import type { SequenceDecoder } from '../src/inference/sequences.js';
import { Model } from '../src/model/model.js';
import { findPreset } from '../src/model/presets.js';
import { median, parseArgs, peer, table } from './lib.js';

const PROMPT = [1, 2, 3, 4, 5, 6, 7, 8];

/** Tokens per second of a whole generation, reading the prompt included; CPU time a token in milliseconds. */
interface Measured {
  readonly speed: number;
  readonly cpu?: number;
  readonly ids: readonly number[];
}

/**
 * `npm run bench -- generation [--tokens 128] [--threads 2] [--rounds 3] [--model FOLDER]`: greedy generation of one
 * sequence by gpt2-124m (random weights, or the model in FOLDER) beside Python transformers reading the same folder.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const [tokens, threads, rounds] = [options.tokens ?? 128, options.threads ?? 2, options.rounds ?? 3].map(Number) as [
    number,
    number,
    number,
  ];
  const temporary = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  const folder = options.model ?? join(temporary, 'model');
  const results: Record<'ours' | 'theirs', Measured[]> = { ours: [], theirs: [] };
  let skipped: string | undefined;
  try {
    if (!options.model) await writeRandomModel(folder);
    const decoder = await openDecoder(folder, threads);
    await generate(decoder, tokens);
    for (let round = 0; round < rounds; round++) {
      results.ours.push(await generate(decoder, tokens));
      if (skipped) continue;
      const figures = ['--tokens', tokens, '--threads', threads, '--repeats', 1, '--prompt-ids', PROMPT];
      const outcome = await peer('torch_generate.py', [folder, ...figures.map(String)]);
      skipped = outcome.skipped;
      if (!skipped) {
        results.theirs.push({ speed: outcome.tokens_per_second as number, ids: outcome.ids as number[] });
      }
    }
    await decoder.dispose();
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  report(results, skipped);
}

async function writeRandomModel(folder: string): Promise<void> {
  const preset = findPreset('gpt2-124m');
  const model = Model.create(preset.family, { ...preset, vocabulary: preset.vocabulary! });
  const views = model.layout.views(model.layout.initialize(new Random(1337)));
  await writeModelFolder(folder, {
    config: model.config as JsonObject,
    tensors: model.layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]! })),
    tokenizerFiles: { ...new BytesTokenizer().files() },
  });
}

async function openDecoder(folder: string, threads: number): Promise<SequenceDecoder> {
  const { model, parameters } = await loadModel(folder);
  return createDecoder({ model, parameters, engine: new NodeEngine(), compile: { threads } });
}

async function generate(decoder: SequenceDecoder, tokens: number): Promise<Measured> {
  decoder.clear();
  const [start, cpuStart] = [performance.now(), process.cpuUsage()];
  const window = new ContextWindow(decoder);
  const sampler = new Sampler({ temperature: 0, topK: 0, topP: 1, seed: 0 });
  const ids = [...PROMPT];
  while (ids.length < PROMPT.length + tokens) ids.push(sampler.sample((await window.read(ids))!));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuStart);
  return { speed: tokens / seconds, cpu: (user + system) / 1000 / tokens, ids: ids.slice(PROMPT.length) };
}

function report({ ours, theirs }: Record<'ours' | 'theirs', Measured[]>, skipped: string | undefined): void {
  const row = (name: string, measured: readonly Measured[]) => {
    const speeds = measured.map(({ speed }) => speed);
    const cpu = measured[0]?.cpu === undefined ? '' : median(measured.map((m) => m.cpu!)).toFixed(1);
    return [name, median(speeds).toFixed(1), Math.min(...speeds).toFixed(1), Math.max(...speeds).toFixed(1), cpu];
  };
  const rows = [row('Meanfield', ours)];
  rows.push(skipped ? ['Python transformers', `skipped: ${skipped}`, '', '', ''] : row('Python transformers', theirs));
  table(['greedy, one sequence', 'tokens/s (median)', 'least', 'most', 'CPU ms a token'], rows);
  if (theirs.length === 0) return;
  const ratio = median(ours.map(({ speed }) => speed)) / median(theirs.map(({ speed }) => speed));
  const same = ours[0]!.ids.join() === theirs[0]!.ids.join();
  console.log(`${ratio.toFixed(2)} × Python transformers; the tokens are ${same ? 'the same' : 'not the same'}.`);
}
