import { readFileSync } from 'node:fs';
import { freemem, platform, totalmem } from 'node:os';
import { join } from 'node:path';

/** How {@link availableMemory} learns about this machine. */
export interface MemoryFacts {
  readonly platform?: NodeJS.Platform;
  /** The content of a file; undefined where there is none. */
  readonly read?: (path: string) => string | undefined;
}

/**
 * Bytes that this process may still take without another one or itself being ended for it: what the system can free,
 * or, where that is less, what its control group (a container, a batch job) may still have.
 */
export function availableMemory({ platform: system = platform(), read = readText }: MemoryFacts = {}): number {
  // Free pages are few on macOS, where the rest holds files that give way.
  if (system !== 'linux') return system === 'win32' ? freemem() : totalmem();
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(read('/proc/meminfo') ?? '');
  const free = found ? 1024 * Number(found[1]) : freemem();
  return Math.max(0, Math.min(free, ...groupRooms(read)));
}

/** What each control group that this process is in may still take; version 2, then version 1. */
function* groupRooms(read: (path: string) => string | undefined): Generator<number> {
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const second = controllers === '';
    if (!second && !controllers!.split(',').includes('memory')) continue;
    const root = second ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const [limit, usage] = second
      ? ['memory.max', 'memory.current']
      : ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
    // Within a container the path may be the host's, which is not there: the root then is its own group.
    for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/'))) {
      const room = roomOf(join(root, folder), limit!, usage!, read);
      if (room !== undefined) yield room;
      if (!folder.includes('/') || folder === '/') break;
    }
  }
}

function roomOf(
  folder: string,
  limit: string,
  usage: string,
  read: (path: string) => string | undefined,
): number | undefined {
  const most = Number(read(join(folder, limit)) ?? Number.NaN);
  const used = Number(read(join(folder, usage)) ?? Number.NaN);
  // `max`, or a number beyond all memory, is no limit.
  if (!Number.isFinite(most) || !Number.isFinite(used)) return undefined;
  // Files that were read count as used and give way.
  const files = /^(?:total_)?(?:inactive_file) (\d+)$/m.exec(read(join(folder, 'memory.stat')) ?? '');
  const active = /^(?:total_)?(?:active_file) (\d+)$/m.exec(read(join(folder, 'memory.stat')) ?? '');
  return Math.max(0, most - used + Number(files?.[1] ?? 0) + Number(active?.[1] ?? 0));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
