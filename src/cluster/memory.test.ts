import { expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { describeNeed, memoryNeeded } from './memory.js';
import type { RunSetup } from './protocol/configuration.js';

const model = Model.create('gpt2', {
  layers: 4,
  width: 256,
  heads: 4,
  keyValueHeads: 4,
  context: 256,
  vocabulary: 4096,
});
const setup = (changes = {}) =>
  ({
    ...{ outer: { method: 'nesterov' }, averageMoments: false, optimizer: {}, gradAccum: 1, batchSize: 12 },
    cluster: { format: 'int8' },
    ...changes,
  }) as unknown as RunSetup;

it('adds up vectors, activations and the process', () => {
  const need = memoryNeeded(model, setup(), 1);
  // Parameters, gradient, two moments; committed parameters and momentum; the decoded result.
  expect(need.vectors).toBe(7 * 4 * model.layout.size);
  expect(need.total).toBe(need.vectors + need.activations + need.messages + need.process);
  // Twice a contribution: a byte an element, and two for the scale of each 256.
  expect(need.messages / model.layout.size).toBeCloseTo(2 * (1 + 2 / 256), 3);
  expect(memoryNeeded(model, setup(), 3).vectors).toBe(3 * need.vectors);
  const more = memoryNeeded(
    model,
    setup({ averageMoments: true, gradAccum: 2, cluster: { format: 'int4', momentsFormat: 'bf16' } }),
    1,
  );
  expect(more.vectors).toBe(11 * 4 * model.layout.size);
  expect(memoryNeeded(model, setup({ cluster: { format: 'fp32' } }), 99).messages).toBe(512 * 2 ** 20);
  expect(describeNeed({ vectors: 1e9, activations: 5e8, messages: 2e7, process: 25e7, total: 177e7 })).toBe(
    '1.00 GB for vectors + 0.50 GB for activations + 0.02 GB for messages + 0.25 GB for the process = 1.77 GB',
  );
});
