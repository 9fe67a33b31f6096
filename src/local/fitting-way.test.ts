import { expect, it } from 'vitest';
import { CODE, COMMAND_LINE } from '../base/spelling.js';
import { fitOf, fitText, fittingWay, unfitText } from './fitting-way.js';
import type { Way } from './ways.js';

const way = (offload: Way['offload'], total: number, more: Partial<Way> = {}): Way => ({
  ...{ offload, total, terms: [[total / 1.1, 'for all']], whole: true, disk: 0, stepDisk: 0, factor: 1 },
  ...more,
});
const plain = way('none', 3e9, { recompute: false });
const twice = way('none', 2e9, { recompute: true, factor: 1.08 });
const moments = way('moments', 1e9, { disk: 4e9, stepDisk: 2e9, factor: 4 / 3 });
const all = way('all', 0.5e9, { disk: 5e9, stepDisk: 6e9, factor: 4 / 3 });
const searched = { ways: [plain, twice], others: [moments, all] };

it.each([
  [3e9, plain, []],
  [3e9 - 1, twice, [plain]],
  [2e9 - 1, moments, [plain, twice]],
  [1e9 - 1, all, [plain, twice, moments]],
  [0.5e9 - 1, undefined, [plain, twice, moments, all]],
] as const)('takes the fastest that fits into %i bytes', (limit, found, passed) => {
  expect(fittingWay({ limit, ...searched })).toEqual({ ...(found && { way: found }), passed });
});

it('looks at no more ways than it must', () => {
  function* ways() {
    yield plain;
    throw new Error('looked further');
  }
  expect(fittingWay({ limit: 3e9, ways: ways() }).way).toBe(plain);
});

it('says what was chosen, why, what it takes and what a step costs', () => {
  const asked = { memory: 1.5, free: false };
  expect(fitText(plain, [], { memory: 4, free: false })).toBe(
    'Within 4 GB of memory: as a whole in memory, the fastest way there is. It takes about 3.00 GB (2.73 GB for all, and ' +
      '273 MB to spare).',
  );
  expect(fitText(moments, [plain, twice], asked, { before: 'muon', after: 'adamw' })).toBe(
    'Within 1.5 GB of memory: layer by layer with the moments on disk, the fastest that fits (as a whole in memory takes ' +
      'about 3.00 GB, as a whole in memory with cheap activations made twice takes about 2.00 GB). It takes about 1.00 GB (909 MB for ' +
      "all, and 91 MB to spare), and 4.00 GB of disk in the run's folder. A step computes about 33 % more and moves 2.00 " +
      'GB to and from the disk. AdamW trains all in place of Muon.',
  );
});

it('says of what does not fit each sum, and the least that would do', () => {
  const text = unfitText([plain, all], { memory: 0.2, free: false }, [], COMMAND_LINE);
  expect(text.split('\n')).toEqual([
    'This run does not fit into --memory 0.2:',
    '- as a whole in memory it takes about 3.00 GB: 2.73 GB for all, and 273 MB to spare',
    '- layer by layer with everything on disk it takes about 500 MB: 455 MB for all, and 45 MB to spare',
    '--memory 0.5 would do, layer by layer with everything on disk. A smaller --batch-size or --context takes less. --force trains all the same.',
  ]);
  expect(unfitText([plain], { memory: 9, free: true }, ['`replicas`: it is of one replica'], CODE)).toMatch(
    /`memory: 9`, of which less is free:[\s\S]*cannot be trained \(`replicas`: it is of one replica\)\.\n3\.00 GB must be free for that\./,
  );
});

it('tells programs the same in bytes', () => {
  expect(fitOf(moments, 1.5e9)).toEqual({
    ...{ offload: 'moments', recompute: false, limitBytes: 1.5e9, memoryBytes: 1e9 },
    ...{ diskBytes: 4e9, stepDiskBytes: 2e9, stepFactor: 4 / 3 },
  });
});
