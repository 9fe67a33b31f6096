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

test('what keeping its vectors saves a device is told beside', () => {
  const step = { copied: { milliseconds: 31.26, bytes: 16_900_000 }, resident: { milliseconds: 2.5, bytes: 131_076 } };
  const webgpu = {
    device: 'webgpu',
    available: true,
    description: 'a GPU',
    speeds: [{ threads: 1, gflops: 900 }],
  } as const;
  expect(devicesText([{ ...webgpu, step }])).toContain(
    '\nwebgpu: a step on 1.0 million parameters takes 2.5 ms and 0.13 MB to and from the device, where its vectors stay there, as in train; where they crossed each time it would be 31.3 ms and 16.90 MB\n',
  );
  expect(devicesText([{ ...webgpu, step: { copied: step.copied } }])).not.toContain('step');
});
