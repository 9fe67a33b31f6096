import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../base/errors.js';
import { findList, top500Lists } from './lists.js';

it('ships the first entries of some lists', () => {
  expect(top500Lists).toEqual(['2019-11', '2020-06', '2025-11', '2026-06']);
  expect(findList('2020-06').entries.map(({ system }) => system)).toEqual([
    'Fugaku',
    'Summit',
    'Sierra',
    'Sunway TaihuLight',
    'Tianhe-2A',
    'HPC5 (V100)',
    'Selene (A100)',
  ]);
  // 148.6 petaflops, in teraflops.
  expect(findList('2019-11').entries[0]).toMatchObject({ rmaxTflops: 148_600, powerKilowatts: 10_096 });
  expect(findList('2019-11').entries[4]).toMatchObject({
    system: 'Frontera',
    rmaxTflops: 23_516.4,
    powerKilowatts: null,
  });
});

describe.each(top500Lists)('%s', (list) => {
  const { entries, entryLevel } = findList(list);

  it('falls with the rank, below what the hardware could', () => {
    for (const [i, entry] of entries.entries()) {
      expect(entry.rmaxTflops).toBeLessThan(entry.rpeakTflops);
      expect(entry.status.length).toBeGreaterThan(10);
      if (i > 0) {
        expect(entry.rank).toBeGreaterThan(entries[i - 1]!.rank);
        expect(entry.rmaxTflops).toBeLessThan(entries[i - 1]!.rmaxTflops);
      }
    }
    if (entryLevel) expect(entryLevel.rmaxTflops).toBeLessThan(entries.at(-1)!.rmaxTflops);
  });
});

it('names the lists there are', () => {
  expect(() => findList('2021-06')).toThrow(UsageError);
  expect(() => findList('2021-06')).toThrow(/No entries of the list "2021-06". Allowed: 2019-11, 2020-06/);
  expect(() => findList('toString')).toThrow(/Allowed: /);
});
