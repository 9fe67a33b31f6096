import { join } from 'node:path';
import type { Kept } from './keep.js';

/** What every measurement of `npm run bench -- cluster` gets. */
export interface Setting {
  readonly kept: Kept;
  /** The folder with `train.txt` of War and Peace. */
  readonly data: string;
  /** Milliseconds each way to the server, in the measures of speed. */
  readonly delay: number;
  /** A few small rounds, to see that it works; its figures mean nothing. */
  readonly quick: boolean;
  /** How long workers are killed for. */
  readonly minutes: number;
  /** How many workers, where a measure compares 2 and 4. */
  readonly workers: readonly number[];
  /** The folder of another build to compare with; undefined: none. */
  readonly base: string | undefined;
  /** Of the runs whose losses are compared. */
  readonly seeds: readonly number[];
}

/** 4 × 256, T=256, V=4096: 4.3M parameters. */
export function wide({ data, quick }: Setting): string[] {
  const size = quick
    ? '--layers 1 --width 32 --heads 2 --context 32 --tokenizer bytes'
    : '--layers 4 --width 256 --heads 4 --context 256 --tokenizer bpe --vocab 4096';
  return [join(data, 'train.txt'), ...words(`--model gpt2 ${size} --batch-size 4 --seed 1`)];
}

/** 4 × 128 characters, nanoGPT's CPU setting. */
export function narrow({ data, quick }: Setting): string[] {
  const size = quick ? '--layers 1 --width 32 --heads 2 --context 32' : '--preset micro';
  return [join(data, 'train.txt'), ...words(`${size} --tokenizer chars`)];
}

/** How often to evaluate in a run whose losses do not matter. */
export const NEVER = words('--eval-every 100000 --checkpoint-every 100000');

export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}

/** What the figures of a setting are kept under. */
export function keyOf({ quick, delay }: Setting, name: string): string {
  return `${quick ? 'quick-' : ''}${delay > 0 ? `${delay}ms-` : ''}${name}`;
}
