import { describe, expect, it } from 'vitest';
import { bootstrap } from './bootstrap.js';
import { chinchillaPoints } from './chinchilla.js';
import { fitLaw, withoutFewestTokens } from './fit.js';

describe('bootstrap', () => {
  const points = withoutFewestTokens(chinchillaPoints(), 5);
  const { law } = fitLaw(points);

  it('is as wide as the replication found it', () => {
    const spread = bootstrap(points, law, { samples: 100 });
    // Table 1 of arXiv 2404.10102 gives standard errors 0.03 (E), 0.02 (alpha), 0.02 (beta), 0.02 (a).
    for (const [key, printed] of [
      ['E', 0.03],
      ['alpha', 0.02],
      ['beta', 0.02],
      ['a', 0.02],
    ] as const) {
      expect(spread[key].standardError, key).toBeGreaterThan(printed / 2);
      expect(spread[key].standardError, key).toBeLessThan(printed * 1.7);
    }
    expect(spread.alpha.low).toBeLessThan(law.alpha);
    expect(spread.alpha.high).toBeGreaterThan(law.alpha);
  });

  it('gives the same figures for the same seed, and others for another', () => {
    const few = { samples: 5 };
    expect(bootstrap(points, law, { ...few, seed: 3 })).toEqual(bootstrap(points, law, { ...few, seed: 3 }));
    expect(bootstrap(points, law, { ...few, seed: 4 })).not.toEqual(bootstrap(points, law, { ...few, seed: 3 }));
  });
});
