import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether these tests can run: as root, with Slurm and munge. With MEANFIELD_REQUIRE_SLURM=1 they do in any case. */
export const slurmThere =
  process.env.MEANFIELD_REQUIRE_SLURM === '1' ||
  (process.getuid?.() === 0 && ['slurmctld', 'slurmd', 'munged'].every((name) => hasProgram(name)));

function hasProgram(name: string): boolean {
  return spawnSync('which', [name], { stdio: 'ignore' }).status === 0;
}

/** A Slurm of several nodes on this machine, which the processes of this test see. */
export interface TestSlurm {
  /** A folder that all nodes see. */
  readonly folder: string;
  /** What its queue and its daemons' logs say, for the message of a test that waited in vain. */
  told(): string;
  stop(): void;
}

export function startSlurm(nodes: number): TestSlurm {
  const folder = mkdtempSync(join(tmpdir(), 'meanfield-slurm-'));
  const script = (name: string, ...args: string[]) =>
    execFileSync('bash', [fileURLToPath(new URL(name, import.meta.url)), folder, ...args], {
      encoding: 'utf8',
      // What the daemons say is a part of the error's message.
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const before = process.env.SLURM_CONF;
  const started = () => script('start.sh', String(nodes)).trim().split('\n').at(-1)!;
  try {
    process.env.SLURM_CONF = started();
  } catch {
    // Between the look for free ports and the daemons' start another test may have taken one: once more, on others.
    script('stop.sh');
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    process.env.SLURM_CONF = started();
  }
  return {
    folder,
    told: () =>
      spawnSync('bash', ['-c', 'squeue --array --states=all; sinfo; tail -n 40 "$0"/log/*', folder], {
        encoding: 'utf8',
      }).stdout,
    stop: () => {
      script('stop.sh');
      if (before === undefined) delete process.env.SLURM_CONF;
      else process.env.SLURM_CONF = before;
      // The daemons still write while they end.
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
