import { expect, it } from 'vitest';
import { Model } from '../../model/model.js';
import type { Configuration } from '../protocol/configuration.js';
import { allowedModel } from './limits.js';

const { config } = Model.create('gpt2', {
  ...{ layers: 2, width: 64, heads: 2, keyValueHeads: 2, context: 32, vocabulary: 100 },
});
const configuration = (changes: object = {}) =>
  ({
    setup: {
      model: { ...(config as object), ...changes },
      ...{ outer: { method: 'average' }, averageMoments: false, optimizer: {}, gradAccum: 1, batchSize: 2 },
      cluster: { format: 'fp32', momentsFormat: 'bf16' },
    },
  }) as unknown as Configuration;

it('takes a model for which there is room, and says what another needs', () => {
  expect(allowedModel(configuration(), 1, 1e9).layout.size).toBeGreaterThan(0);
  expect(() => allowedModel(configuration(), 1, 1e8)).toThrow(
    /for 1 replicas here, and may have 0\.10 GB.*`maxMemory`/,
  );
  expect(() => allowedModel(configuration(), 50, 2.5e8)).toThrow('Use fewer `replicas`');
});

it('refuses absurd models before it lays them out', () => {
  for (const changes of [{ n_layer: 1e9 }, { n_layer: 2 ** 53 - 1 }, { num_hidden_layers: 1e7, model_type: 'llama' }])
    expect(() => allowedModel(configuration(changes), 1, 1e9)).toThrow('layers; a worker takes 10000 at most');
  expect(() => allowedModel(configuration({ n_embd: 2 ** 24, n_head: 1 }), 1, 1e9)).toThrow('Use fewer `replicas`');
});
