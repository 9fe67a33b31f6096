import { expect, test } from 'vitest';
import { devicesText } from './devices.js';

test('devices are a table with a row for each number of threads, then what to do', () => {
  const text = devicesText([
    {
      device: 'cpu',
      available: true,
      description: 'a processor, 2 cores',
      speeds: [
        { threads: 1, gflops: 91.26 },
        { threads: 2, gflops: 180 },
      ],
    },
    { device: 'cuda', available: false, description: 'not installed', speeds: [], hint: 'node install' },
  ]);
  expect(text.split('\n')).toEqual([
    'device  usable  threads  GFLOP/s',
    'cpu     yes           1     91.3  a processor, 2 cores',
    '                      2    180.0',
    'cuda    no                        not installed',
    '',
    'cuda: node install',
    '',
  ]);
});
