import { expect, test } from 'vitest';
import type { Arrangement } from '../types.js';
import { arrangementText } from './arrangement.js';

const plain: Arrangement = {
  ...{ data: 16, tensor: 1, sequenceParallel: false, pipeline: 1, interleave: 1, context: 1, expert: 1, zero: 0 },
  ...{ offload: 'none', offloadTo: 'host', recompute: 'none', precision: 'bf16', microBatch: 2 },
  ...{ globalBatch: 64, sequence: 1024, flashAttention: true },
};

test('an arrangement in a line', () => {
  expect(arrangementText(plain)).toBe('data 16, micro-batch 2');
  expect(arrangementText({ ...plain, tensor: 8, pipeline: 15, interleave: 7, zero: 1 })).toBe(
    'data 16 × tensor 8 × pipeline 15 (7 interleaved), ZeRO-1, micro-batch 2',
  );
  expect(arrangementText({ ...plain, context: 2, expert: 4, recompute: 'full', offload: 'optimizer+parameters' })).toBe(
    'data 16 × context 2, experts over 4, micro-batch 2, full recomputation, optimizer and parameters on host',
  );
});
