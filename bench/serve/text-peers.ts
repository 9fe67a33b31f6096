import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportModel } from '../../src/export/export-model.js';
import { type Outcome, root, runJson } from '../lib.js';

/** What is asked of each. */
export interface Sizes {
  readonly threads: number;
  readonly rounds: number;
  /** Tokens in, and out. */
  readonly prompt: number;
  readonly tokens: number;
  /** Tokens of the prompt whose first token is waited for. */
  readonly long: number;
  /** Texts together. */
  readonly streams: number;
}

/** The version of a peer in MEANFIELD_PROGRAMS. */
export function versionOf(name: string): string {
  const file = join(packageOf(name), 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : 'not installed';
}

/** llama.cpp by node-llama-cpp: {start, one, many, first} as `servedText` has them. */
export async function llamaCpp(
  model: string,
  precision: 'int8' | 'int4',
  temporary: string,
  sizes: Sizes,
): Promise<Outcome> {
  const place = packageOf('node-llama-cpp');
  if (!existsSync(place)) return { skipped: 'no node-llama-cpp in MEANFIELD_PROGRAMS' };
  const dtype = precision === 'int8' ? 'q8_0' : 'q4_0';
  const file = join(temporary, `${dtype}.gguf`);
  await exportModel(model, { to: 'gguf', dtype, out: file });
  return peerOf('llama-serve.mjs', [join(place, 'dist/index.js'), file, JSON.stringify(sizes)]);
}

/** transformers.js, whose many streams are one batch: {start, one, many, first} as `servedText` has them. */
export async function transformersJs(
  model: string,
  precision: 'int8' | 'int4',
  temporary: string,
  sizes: Sizes,
): Promise<Outcome> {
  const place = packageOf('@huggingface/transformers');
  if (!existsSync(place)) return { skipped: 'no @huggingface/transformers in MEANFIELD_PROGRAMS' };
  const dtype = precision === 'int8' ? 'q8' : 'q4';
  await exportModel(model, { to: 'onnx', dtype, out: join(temporary, `text-${dtype}`) });
  const module = join(place, 'dist/transformers.node.mjs');
  return peerOf('transformers-serve.mjs', [module, temporary, `text-${dtype}`, JSON.stringify({ ...sizes, dtype })]);
}

/** A peer's script in a process of its own. */
export function peerOf(name: string, args: readonly string[]): Promise<Outcome> {
  return runJson(process.execPath, [`${root}bench/peers/${name}`, ...args]);
}

/** Where a package of MEANFIELD_PROGRAMS is. */
export function packageOf(name: string): string {
  return join(process.env.MEANFIELD_PROGRAMS ?? '', 'node_modules', name);
}
