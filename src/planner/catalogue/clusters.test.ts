import { describe, expect, it } from 'vitest';
import { findAccelerator } from './accelerators.js';
import { clusters, findCluster, usualCluster, usualNodeDescription } from './clusters.js';

describe('the catalogue', () => {
  it.each(clusters)('%s is possible and says where its figures come from', (name) => {
    const c = findCluster(name);
    expect(c.name).toBe(name);
    expect(c.perNode).toBeLessThanOrEqual(c.accelerators);
    const { sources: _, name: __, accelerator: ___, host, ...figures } = c;
    for (const [field, value] of Object.entries({ ...figures, ...host })) {
      if (value !== null && field !== 'hostPower') expect(value, field).toBeGreaterThan(0);
    }
    for (const field of ['accelerators', 'perNode', 'interNode', 'host', 'hostPower', 'intraLatency', 'interLatency']) {
      expect(c.sources[field]?.where, field).toBeTruthy();
    }
    expect(c.powerUsageEffectiveness).toBeGreaterThanOrEqual(1);
  });

  it('describes the machine of May 2020, and says what was not published', () => {
    const c = findCluster('azure-openai-2020');
    expect(c).toMatchObject({ accelerators: 10_000, perNode: 8, interNode: 50e9, price: 2.75 });
    expect(c.accelerator.name).toBe('V100-SXM2-32GB');
    expect(c.sources.accelerators!.where).toMatch(/285,000 CPU cores, 10,000 GPUs and 400 Gb\/s/);
    expect(c.sources.accelerator).toMatchObject({ kind: 'estimate', where: expect.stringMatching(/not published/) });
    // A server has a whole number of cards, and the last one is full.
    expect(c.accelerators % c.perNode).toBe(0);
  });

  it('has the machines of published runs', () => {
    expect(findCluster('summit')).toMatchObject({ accelerators: 4608 * 6, perNode: 6, interNode: 25e9 });
    expect(findCluster('selene')).toMatchObject({ accelerators: 560 * 8, interNode: 200e9, intraNode: 300e9 });
    expect(findCluster('16384xh100')).toMatchObject({ accelerators: 16384, interNode: 400e9, storageBandwidth: 2e12 });
    expect(findCluster('Jean Zay').accelerators).toBe(52 * 8);
    expect(findCluster('16384xh100').nodeMeanTimeBetweenFailures / 86_400).toBe(264);
  });

  it('reaches down to sixteen browsers on a slow line', () => {
    const c = findCluster('laptops-16');
    expect(c.accelerator.kind).toBe('browser');
    expect(c).toMatchObject({ accelerators: 16, perNode: 1, interNode: 2.5e6, interLatency: 0.03, price: null });
  });
});

describe('N x NAME', () => {
  it('takes the usual nodes', () => {
    const c = findCluster('128 x H100');
    expect(c).toMatchObject({ name: '128 x H100', accelerators: 128, perNode: 8, intraNode: 450e9, interNode: 400e9 });
    expect(c.host.link).toBe(50e9);
    expect(findCluster('4xa100').perNode).toBe(4);
    expect(findCluster('16xrtx4090')).toMatchObject({ perNode: 1, intraNode: 25e9 });
    expect(findCluster('2xlaptop-cpu').accelerator.kind).toBe('cpu');
  });

  it('takes equal parts of racks that are made of trays', () => {
    const whole = findCluster('gb200-nvl72');
    expect(whole).toMatchObject({ perNode: 72, intraNode: 900e9, interNode: 3.6e12 });
    // 64 of each rack's 72, 16 of its 18 trays.
    const part = findCluster('256xGB200');
    expect(part).toMatchObject({ perNode: 64, interNode: 3.2e12, intraNode: 900e9 });
    expect(part.hostPower).toBeCloseTo((45_600 * 64) / 72, 6);
    expect(part.host.cores).toBe(2304);
    expect(part.nodeMeanTimeBetweenFailures).toBeCloseTo((whole.nodeMeanTimeBetweenFailures * 72) / 64, 3);
    expect(part.storageBandwidth / (4 * 64)).toBeCloseTo(whole.storageBandwidth / 72, 3);
    expect(findCluster('144xGB200').perNode).toBe(72);
    expect(findCluster('8xGB200')).toMatchObject({ perNode: 8, interNode: 0.4e12 });
  });

  it.each(['0xh100', '99999999999xh100', '-8xh100', ' -1.5 x H100'])('refuses %s', (name) => {
    expect(() => findCluster(name)).toThrow(/Expected 1 to 100000000 accelerators/);
  });

  it.each([1.5, Number.NaN, -8])('refuses %s accelerators', (count) => {
    expect(() => usualCluster(findAccelerator('H100'), count)).toThrow(/a whole number, got/);
  });

  it('names the nearest accelerators of one it does not know', () => {
    expect(() => findCluster('8xh1000')).toThrow(/Unknown accelerator "h1000". Nearest: H100/);
  });
});

it('lists the nearest clusters of an unknown name', () => {
  expect(() => findCluster('sumit')).toThrow(/Unknown cluster "sumit". Nearest: summit/);
  expect(() => findCluster('__proto__')).toThrow(/Unknown cluster/);
  expect(() => findCluster('x'.repeat(1e6))).toThrow(/Unknown cluster/);
});

it('an accelerator that no one knows stands in the usual node of its kind', () => {
  const card = { ...findAccelerator('H100'), name: 'Mystery' };
  expect(usualNodeDescription(card).perNode).toBe(8);
  expect(usualNodeDescription({ ...card, scaleUp: null }).perNode).toBe(4);
  expect(usualNodeDescription({ ...card, scaleUp: null, kind: 'browser' }).interNode_Gbps).toBe(0.1);
});
