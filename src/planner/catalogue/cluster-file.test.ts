import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import type { JsonValue } from '../../base/json.js';
import { clusterFromJson } from './cluster-file.js';

const card = {
  name: 'Mine',
  year: 2027,
  kind: 'gpu',
  memory_GiB: 100,
  memoryBandwidth_GBps: 4000,
  rates_TFLOPS: { bf16: 800 },
  power_W: 600,
};
const read = (json: JsonValue) => clusterFromJson(json, 'my.json');

describe('clusterFromJson', () => {
  it('takes what the file says, and the rest from the usual node', () => {
    const { cluster, warnings } = read({
      accelerator: 'H100',
      accelerators: 32,
      interNode_Gbps: 1600,
      hostMemory_GB: 1000,
    });
    expect(warnings).toEqual([]);
    expect(cluster).toMatchObject({
      name: 'my.json',
      accelerators: 32,
      perNode: 8,
      interNode: 200e9,
      intraNode: 450e9,
    });
    expect(cluster.host).toMatchObject({ memory: 1e12, cores: 112 });
    expect(cluster.sources.interNode).toEqual({ kind: 'estimate', where: 'my.json' });
    expect(cluster.sources.host).toEqual({ kind: 'estimate', where: 'my.json' });
    expect(cluster.sources.hostPower!.kind).toBe('datasheet');
  });

  it('takes an accelerator that it describes', () => {
    const { cluster, warnings } = read({
      name: 'cave',
      accelerator: { ...card, scaleUp_GBps: 300, price_USD_per_hour: 2 },
      accelerators: 16,
      perNode: 4,
      price_USD_per_hour: 3,
    });
    expect(warnings).toEqual([]);
    expect(cluster).toMatchObject({ name: 'cave', perNode: 4, intraNode: 300e9, price: 3 });
    expect(cluster.accelerator).toMatchObject({
      name: 'Mine',
      memory: 100 * 2 ** 30,
      rates: { bf16: 800e12 },
      price: 2,
    });
    expect(cluster.accelerator.sources.rates).toEqual({ kind: 'estimate', where: 'my.json' });
  });

  it('warns of units that look mixed up', () => {
    const slips = (json: JsonValue) => read(json).warnings.join('\n');
    expect(slips({ accelerator: 'H100', accelerators: 8, interNode_Gbps: 400 })).toMatch(
      /interNode_Gbps = 400 is 8 times less than the 3200 of the usual node of H100-SXM: bits where bytes/,
    );
    expect(slips({ accelerator: 'H100', accelerators: 8, intraNode_GBps: 3600 })).toMatch(/8 times the 450/);
    expect(slips({ accelerator: 'H100', accelerators: 8, hostMemory_GB: 2 })).toMatch(/one unit prefix/);
    const h100 = { ...card, name: 'H100', memoryBandwidth_GBps: 3.35, rates_TFLOPS: { bf16: 0.989 } };
    expect(slips({ accelerator: h100, accelerators: 8 })).toMatch(
      /memoryBandwidth_GBps = 3.35 is 1000 times less than the 3350 of H100-SXM.*\nrates_TFLOPS.bf16 = 0.989 is 1000/,
    );
    expect(slips({ accelerator: { ...card, memory_GiB: 80_000 }, accelerators: 8 })).toMatch(
      /memory_GiB = 80000 is far/,
    );
  });

  it.each<[string, JsonValue, RegExp]>([
    ['nothing', null, /my.json describes no cluster: .*expected object/],
    ['no accelerator', { accelerators: 8 }, /accelerator: /],
    ['an unknown name', { accelerator: 'H1000', accelerators: 8 }, /Unknown accelerator "H1000". Nearest: H100/],
    ['no card', { accelerator: 'H100', accelerators: 0 }, /accelerators: .*got 0/],
    ['half a card', { accelerator: 'H100', accelerators: 1.5 }, /accelerators: .*int.*got 1.5/],
    [
      'a negative bandwidth',
      { accelerator: 'H100', accelerators: 8, interNode_Gbps: -1 },
      /interNode_Gbps: .*>=0.*got -1/,
    ],
    ['a key that is none', { accelerator: 'H100', accelerators: 8, interNode_GBps: 1 }, /interNode_GBps/],
    ['a prototype', JSON.parse('{"accelerator":"H100","accelerators":8,"__proto__":{"perNode":4}}'), /__proto__/],
    ['zero memory', { accelerator: { ...card, memory_GiB: 0 }, accelerators: 8 }, /memory_GiB/],
    ['no rate', { accelerator: { ...card, rates_TFLOPS: {} }, accelerators: 8 }, /one format at least/],
    ['infinite power', { accelerator: { ...card, power_W: JSON.parse('1e999') }, accelerators: 8 }, /power_W/],
    ['a huge number', { accelerator: 'H100', accelerators: 8, hostLink_GBps: 1e300 }, /hostLink_GBps.*<=1000000000000/],
    ['cooling that gives energy', { accelerator: 'H100', accelerators: 8, powerUsageEffectiveness: 0.5 }, />=1/],
  ])('refuses %s', (_, json, message) => {
    expect(() => read(json)).toThrow(UsageError);
    expect(() => read(json)).toThrow(message);
  });

  it('keeps a message short however much is wrong', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`key${i}`.repeat(50), i]));
    try {
      read({ ...many, accelerators: 'x'.repeat(1e5), interNode_Gbps: 'y'.repeat(1e5) } as JsonValue);
      expect.unreachable();
    } catch (error) {
      expect(String(error).length).toBeLessThan(1500);
    }
  });
});

it('the examples of the documentation are cluster files without a slip', async () => {
  const page = await readFile(new URL('../../../docs/cluster-file.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text!));
  expect(examples.map((example) => read(example).cluster.accelerators)).toEqual([32, 64]);
  expect(examples.flatMap((example) => read(example).warnings)).toEqual([]);
});
