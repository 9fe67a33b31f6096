import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { exportModel } from '../src/export/export-model.js';
import { llamaCpp, theirs } from './decoding.js';
import { median, parseArgs, root, table } from './lib.js';

/** What llama.cpp has beside each of ours. */
const PEERS = { int8: 'q8_0', int4: 'q4_0' } as const;
const [PROMPT, TOKENS, LONG, STREAMS] = [128, 128, 1024, 16];

/**
 * `npm run bench -- serve [--model FOLDER] [--threads 2] [--rounds 3]`: a server asked over HTTP, from its start: time to the
 * first answer, one stream of 128 tokens in and 128 out, 16 of them together, and the time to the first token after 1,024;
 * beside llama.cpp, asked in its own process, by the node-llama-cpp in the folder MEANFIELD_PROGRAMS.
 *
 * MODEL is SmolLM2-135M-Instruct in the folder MEANFIELD_MODELS unless given.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const [threads, rounds] = [Number(options.threads ?? 2), Number(options.rounds ?? 3)];
  const folder = options.model ?? join(process.env.MEANFIELD_MODELS ?? '', 'SmolLM2-135M-Instruct');
  if (!existsSync(join(folder, 'config.json')))
    return console.log('Skipped: name a model by --model or MEANFIELD_MODELS.');
  const llama = await llamaCpp();
  const rows: (string | number)[][] = [];
  const temporary = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  try {
    for (const [precision, dtype] of Object.entries(PEERS)) {
      const ours = await measured(folder, precision, threads, rounds);
      rows.push([`Meanfield, ${precision}`, ...ours.map((figure) => figure.toFixed(2))]);
      const file = join(temporary, `${dtype}.gguf`);
      if (llama.module) await exportModel(folder, { to: 'gguf', dtype, out: file });
      const peer = await theirs(llama, file, { prompt: LONG, tokens: TOKENS, threads });
      const [read, written] = [Number(peer.prompt_per_second), Number(peer.tokens_per_second)];
      // Its single stream is told of its two speeds; ours is what a client waits for.
      const one = TOKENS / (PROMPT / read + TOKENS / written);
      const figures = peer.skipped
        ? [`skipped: ${peer.skipped}`, '', '']
        : [one.toFixed(2), '', (LONG / read).toFixed(2)];
      rows.push([`llama.cpp, ${dtype}`, '', ...figures]);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  console.log(`\n### ${PROMPT} tokens in, ${TOKENS} out; ${threads} threads; node-llama-cpp ${llama.version}`);
  const columns = [
    'start to first answer, s',
    'one stream, tokens/s',
    `${STREAMS} streams, tokens/s`,
    `first token after ${LONG}, s`,
  ];
  table(['', ...columns], rows);
}

async function measured(folder: string, precision: string, threads: number, rounds: number): Promise<number[]> {
  const began = performance.now();
  const flags = ['--precision', precision, '--threads', String(threads), '--port', '0', '--json'];
  const child = spawn(process.execPath, [`${root}dist/cli.js`, 'serve', folder, ...flags], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    let url: string | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { type: string; url: string };
      if (event.type !== 'listening') continue;
      ({ url } = event);
      break;
    }
    if (url === undefined) throw new Error('The server did not start.');
    await ask(url, 8, 1, 0);
    const start = (performance.now() - began) / 1000;
    const [one, many, first]: [number[], number[], number[]] = [[], [], []];
    for (let round = 1; round <= rounds; round++) {
      one.push(TOKENS / (await seconds(() => ask(url, PROMPT, TOKENS, round))));
      const streams = Array.from({ length: STREAMS }, (_, i) => 100 * round + i);
      const together = await seconds(() => Promise.all(streams.map((seed) => ask(url, PROMPT, TOKENS, seed))));
      many.push((STREAMS * TOKENS) / together);
      first.push(await seconds(() => ask(url, LONG, 1, round)));
    }
    return [start, median(one), median(many), median(first)];
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('close', resolve));
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** A completion of so many tokens after a prompt that no other has begun with. */
async function ask(url: string, length: number, tokens: number, seed: number): Promise<void> {
  const prompt = Array.from({ length }, (_, i) => 1000 + ((i * 7919 + seed * 104_729) % 20_000));
  const body = JSON.stringify({ prompt, max_tokens: tokens, temperature: 0, ignore_eos: true });
  const response = await fetch(`${url}/v1/completions`, { method: 'POST', body });
  const { usage } = (await response.json()) as { usage?: { completion_tokens: number } };
  if (usage?.completion_tokens !== tokens) throw new Error(`Expected ${tokens} tokens, got ${JSON.stringify(usage)}.`);
}
