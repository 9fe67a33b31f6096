import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Outcome, parseArgs, table } from '../lib.js';
import { schemaRows } from './schemas.js';
import { llamaCpp, type Sizes, transformersJs, versionOf } from './text-peers.js';
import { servedText } from './texts.js';
import { vectorRows } from './vectors.js';

const PRECISIONS = ['int8', 'int4'] as const;

/**
 * `npm run bench -- serve [--threads 2] [--rounds 3] [--prompt 128] [--tokens 128] [--long 1024] [--streams 16] [--sentences 1000]
 * [--only texts,vectors,schemas]`: a server asked over HTTP, from its start: the time to its first answer, one stream, many of
 * them together, and the time to the first token after a long prompt; vectors of sentences of mixed length; what a JSON Schema
 * costs. Beside it llama.cpp and transformers.js, and sentence-transformers in Python, each in a process of its own, which is
 * asked without HTTP.
 *
 * The models are SmolLM2-135M-Instruct and all-MiniLM-L6-v2 in the folder MEANFIELD_MODELS; peers in Node are in that of
 * MEANFIELD_PROGRAMS.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const number = (name: string, otherwise: number) => Number(options[name] ?? otherwise);
  const sizes: Sizes = {
    ...{ threads: number('threads', 2), rounds: number('rounds', 3), streams: number('streams', 16) },
    ...{ prompt: number('prompt', 128), tokens: number('tokens', 128), long: number('long', 1024) },
  };
  const only = options.only?.split(',') ?? ['texts', 'vectors', 'schemas'];
  const temporary = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  try {
    const model = placeOf('SmolLM2-135M-Instruct');
    if (model === undefined) console.log('Skipped: SmolLM2-135M-Instruct is not in MEANFIELD_MODELS.');
    else {
      if (only.includes('texts')) await texts(model, temporary, sizes);
      if (only.includes('schemas')) {
        console.log(`\n### A JSON Schema beside none, int8, ${sizes.threads} threads`);
        table(
          ['', 'first token of the first text, ms', 'ms a token', 'ms a token without a schema'],
          await schemaRows(model, sizes.threads),
        );
      }
    }
    const sentences = placeOf('all-MiniLM-L6-v2');
    if (!only.includes('vectors')) return;
    if (sentences === undefined) return console.log('Skipped: all-MiniLM-L6-v2 is not in MEANFIELD_MODELS.');
    const count = number('sentences', 1000);
    console.log(`\n### all-MiniLM-L6-v2, ${count} sentences of 4 to 60 words, ${sizes.threads} threads`);
    const rows = await vectorRows(sentences, temporary, { ...sizes, count });
    table(
      ['', 'sentences/s', 'rounds', 'cosine to fp32: mean, least'],
      rows.map((row) => [...row, ''].slice(0, 4)),
    );
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function texts(model: string, temporary: string, sizes: Sizes): Promise<void> {
  const rows: string[][] = [];
  const add = (name: string, outcome: Outcome) => {
    const { skipped, start, one, many, first } = outcome;
    const figures = [start, one, many, first].map((value) => (typeof value === 'number' ? value.toFixed(2) : ''));
    rows.push([name, ...(skipped === undefined ? figures : [`skipped: ${skipped}`, '', '', ''])]);
  };
  for (const precision of PRECISIONS) {
    add(`Meanfield, ${precision}`, await servedText(model, precision, sizes));
    add(`llama.cpp, ${precision === 'int8' ? 'q8_0' : 'q4_0'}`, await llamaCpp(model, precision, temporary, sizes));
    add(
      `transformers.js, ${precision === 'int8' ? 'q8' : 'q4'}`,
      await transformersJs(model, precision, temporary, sizes),
    );
  }
  const { prompt, tokens, long, streams, threads } = sizes;
  const versions = ['node-llama-cpp', '@huggingface/transformers'].map((name) => `${name} ${versionOf(name)}`);
  console.log(`\n### ${prompt} tokens in, ${tokens} out; ${threads} threads; ${versions.join(', ')}`);
  table(
    [
      '',
      'start to first answer, s',
      'one stream, tokens/s',
      `${streams} streams, tokens/s`,
      `first token after ${long}, s`,
    ],
    rows,
  );
}

function placeOf(name: string): string | undefined {
  const place = join(process.env.MEANFIELD_MODELS ?? '', name);
  return existsSync(join(place, 'config.json')) ? place : undefined;
}
