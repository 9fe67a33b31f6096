import { expect, test } from 'vitest';
import { TRAIN_OPTIONS } from '../run/option-table.js';
import { parseTrainOptions } from '../run/options.js';
import { CLUSTER_GROUPS, CLUSTER_OPTIONS, SHARED_OPTIONS } from './option-table.js';
import { trainOptionsBetweenMachines } from './options.js';

test('a run between machines takes what train does, but for what only threads can have', () => {
  const between = Object.values(CLUSTER_GROUPS).flatMap((table) => Object.entries(table));
  const names = between.map(([name]) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(TRAIN_OPTIONS).filter((name) => !names.includes(name))).toEqual([
    'deepspeed',
    'teacher',
    'teacherWeight',
    'teacherTemperature',
    'momentsPrecision',
    'replicas',
    'memory',
    'offload',
    'zero',
    'device',
  ]);
  for (const [name, definition] of between) {
    const own = { ...TRAIN_OPTIONS, ...CLUSTER_OPTIONS }[name as keyof typeof TRAIN_OPTIONS];
    const { betweenMachines, ...kept } = own as { betweenMachines?: object };
    expect(definition, name).toEqual({ ...kept, ...betweenMachines });
  }
});

test('a new run between machines keeps moments where they are, and a resumed one has its own', () => {
  const given = { corpus: ['a.txt'], lr: 0.1 };
  expect(SHARED_OPTIONS.moments!.default).toBe('keep');
  const own = parseTrainOptions(trainOptionsBetweenMachines(given));
  expect(own).toEqual({ ...parseTrainOptions(given), moments: 'keep', syncEvery: 25 });
  const averaged = trainOptionsBetweenMachines({ ...given, moments: 'average' });
  expect(averaged.moments).toBe('average');
  expect(trainOptionsBetweenMachines({ ...given, resume: true })).toEqual({ ...given, resume: true });
});
