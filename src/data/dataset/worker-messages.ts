import type { BpeModel } from '../tokenizers/train-bpe.js';
import type { WordCounts } from '../tokenizers/word-counts.js';
import type { TextBatch } from './text-batches.js';

/** What an encoding thread is asked; it answers in order. */
export type WorkerRequest =
  | { type: 'count'; batch: TextBatch }
  | { type: 'counts' }
  | { type: 'model'; model: BpeModel }
  | { type: 'encode'; batch: TextBatch };

/** What it answers to `counts` and `encode`; to the others nothing but that they are done. */
export type WorkerAnswer = { counts: WordCounts } | { ids: Uint32Array } | { done: true };
