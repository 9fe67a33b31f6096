import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How a process is limited: what its shell does first, and what is left to tidy up. */
export interface Limit {
  readonly name: string;
  readonly first: string;
  tidy(): Promise<void>;
}

const GROUPS = [
  ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ['/sys/fs/cgroup', 'memory.max'],
] as const;

/** A limit of memory that the system enforces on a process and those that it starts. */
export async function limitTo(bytes: number): Promise<Limit> {
  for (const [parent, file] of GROUPS) {
    const group = join(parent, `meanfield-limit-${process.pid}-${bytes}`);
    try {
      await mkdir(group);
    } catch {
      continue;
    }
    try {
      await writeFile(join(group, file), String(bytes));
      const first = `echo $$ > ${group}/cgroup.procs`;
      return { name: 'control group', first, tidy: () => rmdir(group).catch(() => {}) };
    } catch {
      await rmdir(group).catch(() => {});
    }
  }
  return { name: 'ulimit -d', first: `ulimit -d ${Math.floor(bytes / 1024)}`, tidy: async () => {} };
}
