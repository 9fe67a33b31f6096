import { fileURLToPath } from 'node:url';
import type { BaseDtype } from '../../src/model/family-names.js';
import { type Outcome, peer, runJson } from '../lib.js';
import type { TorchMode } from './settings.js';

/** What {@link inProcess} may be asked to measure, each in a process of its own. */
export type Work =
  | { readonly kind: 'train'; readonly recipe: string; readonly base?: BaseDtype }
  | {
      readonly kind: 'chat';
      readonly model: string;
      /** Prepared rows. */
      readonly rows: string;
      readonly context: number;
      readonly batch: number;
      readonly gradAccum: number;
      readonly threads: number;
      readonly packed: boolean;
      readonly steps: number;
    }
  | { readonly kind: 'load'; readonly model: string; readonly threads: number };

/** Our own measuring process: memory and thread pools are those of one run alone. */
export const inProcess = (work: Work): Promise<Outcome> =>
  runJson(process.execPath, [fileURLToPath(new URL('finetune-worker.js', import.meta.url)), JSON.stringify(work)]);

/** The peer's training by the same recipe. */
export const torch = (recipe: string, mode: TorchMode): Promise<Outcome> =>
  peer('torch_finetune.py', [recipe, '--mode', mode]);

/** `1.23 GB`. */
export const gigabytes = (bytes: unknown): string => `${(Number(bytes) / 1e9).toFixed(2)} GB`;
