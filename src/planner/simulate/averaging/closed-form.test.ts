import { describe, expect, it } from 'vitest';
import { averagingClosedForm } from './closed-form.js';
import type { AveragingSpec } from './spec.js';

const replica = { stepsPerSecond: 2, up: 1e6, down: 4e6 };
const spec: AveragingSpec = {
  replicas: [replica, replica, replica, replica],
  rounds: 3,
  steps: 100,
  contributionBytes: 1e7,
  resultBytes: 2e7,
  stateBytes: 4e7,
  latency: 0.5,
  merge: 2,
};

describe('averagingClosedForm', () => {
  it('adds steps, both ways of the exchange, the merge and four messages', () => {
    // 40 MB of state at 4 MB/s and three messages; rounds of 50 s, ¾ of 30 MB at the narrower 1 MB/s, 2 s, 4 · 0.5 s.
    expect(averagingClosedForm(spec)).toBe(1.5 + 10 + 3 * (50 + 22.5 + 2 + 2));
    expect(averagingClosedForm({ ...spec, storeBandwidth: 8e6 })).toBe(1.5 + 20 + 3 * 76.5);
  });

  it('does not apply to uneven, unlucky or changing replicas', () => {
    const [first, ...rest] = spec.replicas;
    for (const over of [
      { jitter: 0.1 },
      { meanTimeBetweenFailures: 100 },
      { straggling: { probability: 0.1, factor: 2 } },
      ...[{ stepsPerSecond: 1 }, { up: 1 }, { joins: 1 }, { leaves: 5 }, { fails: [3] }].map((change) => ({
        replicas: [{ ...first!, ...change }, ...rest],
      })),
    ])
      expect(averagingClosedForm({ ...spec, ...over }), JSON.stringify(over)).toBeNull();
  });
});
