import { describe, expect, it } from 'vitest';
import { shippedConstants } from './constants.js';

describe('the shipped constants', () => {
  it('are shares where they are shares, and one a pair', () => {
    const { time, memory, efficiency } = shippedConstants;
    const shares = [
      time.sustainedRate,
      time.memoryEfficiency,
      ...time.attentionForward,
      ...time.attentionBackward,
      time.oldAttentionKernel,
      time.fourBitShare,
      time.linkEfficiency,
      time.parameterGather,
      time.overlap,
      memory.fragmentation,
    ];
    for (const share of shares) expect(share > 0 && share <= 1).toBe(true);
    for (const value of [...Object.values(efficiency.fitted), efficiency.default]) {
      expect(value).toBeGreaterThanOrEqual(0.3);
      expect(value).toBeLessThanOrEqual(1.3);
    }
    for (const pair of Object.keys(efficiency.fitted)) expect(pair).toMatch(/^.+ @ .+$/);
  });
});
