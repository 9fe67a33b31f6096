import { expect, test } from 'vitest';
import type { Candidate } from '../search/types.js';
import type { Arrangement, MemoryUse, StepPrediction, StepTime } from '../types.js';
import { reasonLost } from './reason.js';

const parts = {
  matrices: 2,
  memoryBound: 0.2,
  recompute: 0,
  tensorCommunication: 0.1,
  pipelineCommunication: 0,
  pipelineBubble: 0,
  dataCommunication: 0.1,
  optimizer: 0.1,
  offload: 0,
};

function candidate(change: Partial<StepTime>, memory: Partial<MemoryUse> = {}, data = 8): Candidate {
  const spent = { ...parts, ...change };
  const total = Object.values(spent).reduce((sum, seconds) => sum + seconds, 0);
  const used = { total: 40e9, available: 80e9, host: 0, ...memory } as MemoryUse;
  return {
    arrangement: { data, tensor: 1, pipeline: 1, context: 1 } as Arrangement,
    prediction: {
      memory: used,
      fits: used.total <= used.available && used.host < 1e12,
      time: { ...spent, total },
    } as StepPrediction,
  };
}

const winner = candidate({});

test.each([
  [candidate({ dataCommunication: 0.44 }), 'gradient communication exposed for 340 ms more'],
  [candidate({ pipelineBubble: 0.66 }), 'pipeline bubble 20.9 % of the step'],
  [
    candidate({ recompute: 0.7, tensorCommunication: 0.6 }),
    'recomputes for 700 ms more; tensor communication exposed for 500 ms more',
  ],
  [candidate({ offload: 150 }), 'waits 2.5 min for offloaded state'],
  [candidate({ matrices: 4 }, {}, 4), 'uses 4 devices instead of 8; matrix products take 2 s longer'],
  [candidate({ optimizer: 1.6 }, { total: 92.1e9 }), 'does not fit by 12.1 GB: 92.1 GB of 80.0 GB'],
  [candidate({}, { host: 2e12 }), 'does not fit: 2000 GB on the host of a node'],
  [candidate({}), 'as fast'],
])('says why (%#)', (loser, expected) => {
  expect(reasonLost(loser, winner)).toBe(expected);
});

test('where nothing fits, what fits not says by how much', () => {
  expect(reasonLost(candidate({}, { total: 81e9 }), null)).toBe('does not fit by 1.00 GB: 81.0 GB of 80.0 GB');
});
