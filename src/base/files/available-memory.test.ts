import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { availableMemory } from './available-memory.js';

const meminfo = 'MemTotal: 24000000 kB\nMemFree: 100 kB\nMemAvailable: 2000000 kB\n';
const files = (content: Record<string, string>) => ({
  platform: 'linux' as const,
  read: (path: string) => content[path],
});

it('is what the system can free', () => {
  expect(availableMemory(files({ '/proc/meminfo': meminfo }))).toBe(2_048_000_000);
});

it.each([
  [
    'a container of its own',
    {
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': '1000000000\n',
      '/sys/fs/cgroup/memory.current': '600000000\n',
      '/sys/fs/cgroup/memory.stat': 'anon 1\ninactive_file 100000000\nactive_file 50000000\n',
    },
    550_000_000,
  ],
  [
    'a group above its own',
    {
      '/proc/self/cgroup': '0::/job/step\n',
      '/sys/fs/cgroup/job/step/memory.max': 'max\n',
      '/sys/fs/cgroup/job/step/memory.current': '5\n',
      '/sys/fs/cgroup/job/memory.max': '500\n',
      '/sys/fs/cgroup/job/memory.current': '200\n',
    },
    300,
  ],
  [
    'version 1',
    {
      '/proc/self/cgroup': '5:cpu:/x\n4:memory:/docker/abc\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '700\n',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': '900\n',
    },
    0,
  ],
  ['no limit', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max\n' }, 2_048_000_000],
])('is what a control group may have: %s', (_name, content, expected) => {
  expect(availableMemory(files({ '/proc/meminfo': meminfo, ...content }))).toBe(expected);
});

it('is never more than the machine has', () => {
  expect(availableMemory()).toBeGreaterThan(0);
  expect(availableMemory()).toBeLessThanOrEqual(totalmem());
});
