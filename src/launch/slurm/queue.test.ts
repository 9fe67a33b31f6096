import { describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { fakeSlurm, queueLines } from './fake-slurm.test-support.js';
import { hasEnded, parseQueue, readGroup } from './queue.js';

describe('what squeue writes', () => {
  it('is read field by field; a script may hold the separator', () => {
    expect(parseQueue('12|3|RUNNING|node7|meanfield-1|/a|b.sh\n\n13|N/A|PENDING|(Priority)|x|(null)\n')).toEqual([
      { array: '12', index: 3, state: 'RUNNING', where: 'node7', name: 'meanfield-1', script: '/a|b.sh' },
      { array: '13', index: 0, state: 'PENDING', where: '(Priority)', name: 'x', script: '(null)' },
    ]);
    expect(parseQueue('')).toEqual([]);
  });

  it.each(['slurm_load_jobs error', '12|3|RUNNING', 'x|3|RUNNING|a|b|c', '1|-1|RUNNING|a|b|c'])(
    'of another form is refused: %s',
    (line) => {
      expect(() => parseQueue(line)).toThrow(MeanfieldError);
    },
  );

  it('says which tasks are over', () => {
    const over = (state: string) => hasEnded(parseQueue(queueLines('1', [state]))[0]!);
    expect(['PENDING', 'RUNNING', 'REQUEUED', 'COMPLETING', 'SUSPENDED'].filter(over)).toEqual([]);
    expect(['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL', 'OUT_OF_MEMORY'].every(over)).toBe(true);
  });
});

describe('a group', () => {
  it('is found by the number of one of its arrays', async () => {
    const slurm = fakeSlurm({
      squeue: (args) =>
        args.includes('--jobs=12')
          ? queueLines('12', ['RUNNING'])
          : queueLines('12', ['RUNNING']) + queueLines('15', ['PENDING']),
    });
    const tasks = await readGroup(slurm.run, '12');
    expect(tasks.map(({ array, state }) => `${array} ${state}`)).toEqual(['12 RUNNING', '15 PENDING']);
    expect(slurm.calls[1]).toContain('--name=meanfield-1');
    expect(slurm.calls.every((call) => call.includes('--me'))).toBe(true);
  });

  it('is found by its name', async () => {
    const slurm = fakeSlurm({ squeue: () => queueLines('12', ['RUNNING']) });
    await readGroup(slurm.run, 'meanfield-1');
    expect(slurm.calls).toHaveLength(1);
  });

  it('that Slurm does not know is an error that says what to do', async () => {
    const { run } = fakeSlurm({ squeue: () => '' });
    await expect(readGroup(run, '99')).rejects.toThrow(/no job 99 of yours.*\nsqueue --me lists/);
    await expect(readGroup(run, 'meanfield-9')).rejects.toThrow(MeanfieldError);
    const invalid = async () => {
      throw new MeanfieldError('squeue failed: slurm_load_jobs error: Invalid job id specified');
    };
    await expect(readGroup(invalid, '99')).rejects.toThrow(/no job 99 of yours/);
    const down = async () => {
      throw new MeanfieldError('squeue failed: Unable to contact slurm controller');
    };
    await expect(readGroup(down, '99')).rejects.toThrow(/Unable to contact/);
  });
});
