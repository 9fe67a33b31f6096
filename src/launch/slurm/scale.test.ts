import { describe, expect, it } from 'vitest';
import { fakeSlurm, queueLines } from './fake-slurm.test-support.js';
import { cancelGroup, scaleGroup } from './scale.js';

const queue = queueLines('12', ['RUNNING', 'RUNNING', 'COMPLETED']) + queueLines('15', ['RUNNING', 'PENDING']);

describe('scaling', () => {
  it('submits another array of the same script for more workers', async () => {
    const slurm = fakeSlurm({ squeue: () => queue, sbatch: () => '20\n' });
    expect(await scaleGroup(slurm.run, 'meanfield-1', 7)).toEqual({
      before: 4,
      workers: 7,
      added: '20',
      cancelled: [],
    });
    expect(slurm.calls.at(-1)).toEqual(['sbatch', '--parsable', '--array=0-2', '/jobs/a.sh']);
  });

  it('cancels those that wait first, then the latest', async () => {
    const slurm = fakeSlurm({ squeue: () => queue });
    const { cancelled, added } = await scaleGroup(slurm.run, 'meanfield-1', 1);
    expect(cancelled).toEqual(['15_1', '15_0', '12_1']);
    expect(added).toBeNull();
    expect(slurm.calls.at(-1)).toEqual(['scancel', '15_1', '15_0', '12_1']);
  });

  it('to the number there is asks for nothing', async () => {
    const slurm = fakeSlurm({ squeue: () => queue });
    expect(await scaleGroup(slurm.run, 'meanfield-1', 4)).toMatchObject({ added: null, cancelled: [] });
    expect(slurm.calls.map(([program]) => program)).toEqual(['squeue']);
  });

  it('of a job that was not submitted from a file is refused', async () => {
    const { run } = fakeSlurm({ squeue: () => '12|0|RUNNING|n|meanfield-1|(null)\n' });
    await expect(scaleGroup(run, 'meanfield-1', 2)).rejects.toThrow(/expected an absolute path/);
  });
});

describe('cancelling', () => {
  it('names every array that has workers left', async () => {
    const slurm = fakeSlurm({ squeue: () => queue });
    expect(await cancelGroup(slurm.run, 'meanfield-1')).toEqual(['12', '15']);
    expect(slurm.calls.at(-1)).toEqual(['scancel', '12', '15']);
  });

  it('of a group that is over does nothing', async () => {
    const slurm = fakeSlurm({ squeue: () => queueLines('12', ['COMPLETED', 'CANCELLED']) });
    expect(await cancelGroup(slurm.run, 'meanfield-1')).toEqual([]);
    expect(slurm.calls).toHaveLength(1);
  });
});
