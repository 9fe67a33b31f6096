import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { accelerators, findAccelerator, isKnownAccelerator, toAccelerator, usualNode } from './accelerators.js';

const teraflops = (name: string, format: 'fp16' | 'bf16' | 'fp8' | 'mxfp8' | 'nvfp4') =>
  findAccelerator(name).rates[format]! / 1e12;

describe('the catalogue', () => {
  it.each(accelerators)('%s is possible and names a source for each figure', (name) => {
    const a = findAccelerator(name);
    expect(a.name).toBe(name);
    for (const figure of [a.memory, a.memoryBandwidth, a.power, ...Object.values(a.rates)]) {
      expect(figure).toBeGreaterThan(0);
    }
    expect(a.memory).toBeGreaterThanOrEqual(4 * 2 ** 30);
    expect(a.memory).toBeLessThan(512 * 2 ** 30);
    expect(a.year).toBeGreaterThan(2015);
    const given = {
      year: a.year,
      memory: a.memory,
      memoryBandwidth: a.memoryBandwidth,
      rates: a.rates,
      measuredRates: Object.keys(a.measuredRates).length || null,
      fp64: a.fp64,
      scaleUp: a.scaleUp,
      power: a.power,
      price: a.price,
    };
    const sourced = Object.keys(given).filter((field) => given[field as keyof typeof given] !== null);
    expect(Object.keys(a.sources).sort()).toEqual(sourced.sort());
    if (a.sources.measuredRates) expect(a.sources.measuredRates.kind).toBe('measured');
    expect(a.sources.rates!.kind).not.toBe('measured');
  });

  it('has measured rates that stay below the datasheet', () => {
    for (const { name, rates, measuredRates } of accelerators.map((other) => findAccelerator(other))) {
      for (const [format, rate] of Object.entries(measuredRates)) {
        expect(rate / rates[format as 'bf16']!, `${name} ${format}`).toBeLessThan(1);
        expect(rate / rates[format as 'bf16']!, `${name} ${format}`).toBeGreaterThan(0.4);
      }
    }
  });

  it('has the published dense rates', () => {
    expect(teraflops('V100', 'fp16')).toBe(125);
    expect(teraflops('A100', 'bf16')).toBe(312);
    expect(teraflops('H100', 'fp8')).toBe(1979);
    expect([teraflops('GB200', 'bf16'), teraflops('GB200', 'mxfp8'), teraflops('GB200', 'nvfp4')]).toEqual([
      2500, 5000, 10000,
    ]);
    expect(teraflops('GB300', 'nvfp4')).toBe(15000);
    expect(findAccelerator('H100').measuredRates.bf16).toBe(794.5e12);
    expect(findAccelerator('TPU v4').rates).toEqual({ bf16: 275e12 });
    expect(findAccelerator('H100').rates.nvfp4).toBeUndefined();
  });
});

describe('findAccelerator', () => {
  // Every accelerator of the published measurements that the planner is calibrated on.
  it.each([
    ['A100-SXM', undefined, 'A100-SXM-80GB'],
    ['A100-SXM', 80, 'A100-SXM-80GB'],
    ['A100-SXM', 40, 'A100-SXM-40GB'],
    ['A100-SXM (DGX-A100)', 40, 'A100-SXM-40GB'],
    ['H100-SXM', 80, 'H100-SXM'],
    ['V100', 32, 'V100-SXM2-32GB'],
    ['V100-SXM2', 32, 'V100-SXM2-32GB'],
    ['V100-SXM2', 16, 'V100-SXM2-16GB'],
    ['V100-SXM3 (DGX-2)', 32, 'V100-SXM3-32GB'],
    ['V100-SXM3 (DGX-2H)', 32, 'V100-SXM3-32GB-450W'],
    ['DGX-H100', undefined, 'H100-SXM'],
    ['DGX-B200', undefined, 'B200-SXM'],
    ['B200-SXM', 180, 'B200-SXM'],
    ['DGX-GB200', undefined, 'GB200'],
    ['DGX-GB300', undefined, 'GB300'],
  ])('%s of %s GB is %s', (name, memoryGB, expected) => {
    expect(findAccelerator(name, memoryGB === undefined ? {} : { memoryGB }).name).toBe(expected);
  });

  it.each([
    ['NVIDIA A100-SXM4-40GB', 'A100-SXM-40GB'],
    ['NVIDIA H100 80GB HBM3', 'H100-SXM'],
    ['Tesla V100-SXM2-32GB', 'V100-SXM2-32GB'],
    ['nvidia geforce rtx 4090', 'RTX-4090'],
    ['AMD Instinct MI300X', 'MI300X'],
    ['Google TPU v3', 'TPUv3'],
    ['8x H100', 'H100-SXM'],
    ['A100 PCIe', 'A100-PCIe-80GB'],
    ['A100-SXM ("Ampere")', 'A100-SXM-80GB'],
    ['H100 SXM5 80GB (Grand Teton)', 'H100-SXM'],
    ['H100SXM5', 'H100-SXM'],
    ['TPU v5p-1024', 'TPUv5p'],
    ['V100 32GB NVLink', 'V100-SXM2-32GB'],
    ['Nvidia V100 16 GB', 'V100-SXM2-16GB'],
    ['AMD MI300X OAM 192GB', 'MI300X'],
    ['A100 40GB PCIe', 'A100-PCIe-40GB'],
    ['Hopper', 'H100-SXM'],
    ['MI250X (GCD)', 'MI250X-GCD'],
    ['AMD MI250X 64GB', 'MI250X-GCD'],
    ['AMD MI250X', 'MI250X'],
  ])('reads %s as %s', (name, expected) => {
    expect(findAccelerator(name).name).toBe(expected);
  });

  it('gives a card the memory that was asked for where none of the catalogue has it', () => {
    const card = findAccelerator('A100', { memoryGB: 64 });
    expect(card).toMatchObject({ name: 'A100-SXM-64GB', memory: 64 * 2 ** 30, rates: { bf16: 312e12 } });
    expect(card.sources.memory).toEqual({ kind: 'estimate', where: '64 GB, as asked for' });
    expect(card.sources.rates!.kind).toBe('datasheet');
    expect(usualNode(card)).toBe('dgx-a100');
  });

  it('takes memory, its kind and power from a name before what the catalogue has', () => {
    const card = findAccelerator('H100 (HBM2e 96GB, 500W)');
    expect(card).toMatchObject({ name: 'H100-SXM-96GB-500W', memory: 96 * 2 ** 30, power: 500, year: 2022 });
    expect(card.memoryBandwidth / 1e9).toBeCloseTo((2000 * 96) / 79.647, 6);
    expect(card.powerShare).toBeCloseTo(5 / 7, 12);
    expect(card.rates).toEqual(findAccelerator('H100').rates);
    expect(findAccelerator('H100 NVL 94GB').name).toBe('H100-PCIe-94GB');
    expect(findAccelerator('A100-SXM', { memoryGB: 40, power: 300 }).name).toBe('A100-SXM-40GB-300W');
    expect(usualNode(card)).toBe('dgx-h100');
  });

  it.each(['H10', 'H1000', 'A10', 'A100X', 'M2 Ultra', 'RTX 4090 Ti', 'RTX 4060', 'MI300A', 'B100', 'TPU v7'])(
    'never takes %s for another card',
    (name) => {
      expect(() => findAccelerator(name)).toThrow(/Unknown accelerator .*Nearest: /);
    },
  );

  it('lists the nearest of an unknown name', () => {
    expect(() => findAccelerator('H10')).toThrow(UsageError);
    expect(() => findAccelerator('H10')).toThrow(/Unknown accelerator "H10". Nearest: H100/);
    for (const name of ['', '__proto__', 'toString', '80GB', '\u0000', 'x'.repeat(1e5)]) {
      expect(() => findAccelerator(name), name.slice(0, 9)).toThrow(/Unknown accelerator .*Nearest: /);
      expect(isKnownAccelerator(name)).toBe(false);
    }
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9])('refuses a memory of %s GB', (memoryGB) => {
    expect(() => findAccelerator('A100', { memoryGB })).toThrow(/Expected the memory of a card .* got/);
  });
});

it('toAccelerator turns a description into base units', () => {
  const description = {
    year: 2030,
    kind: 'gpu',
    memory_GiB: 2,
    memoryBandwidth_GBps: 3,
    rates_TFLOPS: { bf16: 4, fp8: undefined },
    power_W: 5,
  } as const;
  expect(toAccelerator('x', description, {})).toEqual({
    name: 'x',
    year: 2030,
    kind: 'gpu',
    memory: 2147483648,
    memoryBandwidth: 3e9,
    rates: { bf16: 4e12 },
    measuredRates: {},
    fp64: null,
    scaleUp: null,
    power: 5,
    price: null,
    sources: {},
  });
});
