import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonLines, meanfield, start, TINY, text, workFolder } from '../command.js';
import { slurmThere, startSlurm, type TestSlurm } from './slurm.js';

const natsThere = process.env.MEANFIELD_REQUIRE_NATS === '1' || hasNats();

function hasNats(): boolean {
  try {
    execFileSync('nats-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!slurmThere || !natsThere)('a run whose workers come from Slurm (skipped without it)', () => {
  const at = workFolder();
  let slurm: TestSlurm;

  beforeAll(() => {
    slurm = startSlurm(2);
  }, 120_000);
  afterAll(() => slurm?.stop());

  it('ends with a model, and its tasks with it', async () => {
    await writeFile(at('text.txt'), text(20_000));
    const options = [...TINY, '--min-workers', '2', '--host', '127.0.0.1', '--json'];
    const coordinator = start(['cluster', 'start', at('text.txt'), '--run', at('run'), ...options]);
    let written = '';
    coordinator.child.stdout!.on('data', (part: string) => {
      written += part;
    });
    await coordinator.said(/"type":"invitation".*\n/);
    const { invitation } = JSON.parse(written.split('\n').find((line) => line.includes('"type":"invitation"'))!);
    const launched = await meanfield(
      ...['launch', 'slurm', invitation, '--workers', '2', '--cpus', '1', '--folder', at('jobs'), '--follow', '--json'],
    );
    expect(launched.stderr).toContain('Submitted job');
    expect(jsonLines(launched).at(-1)).toMatchObject({ type: 'result', states: { COMPLETED: 2 }, interrupted: false });
    const done = await coordinator.done;
    const result = jsonLines(done).at(-1)!;
    expect([done.code, result]).toMatchObject([0, { type: 'result', replicas: 2 }]);
    // Members do as many steps as they are fast, so the last round may end a little after it.
    expect(result.step).toBeGreaterThanOrEqual(20);
    expect(result.step).toBeLessThan(30);
  });
});
