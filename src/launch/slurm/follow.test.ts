import { describe, expect, it } from 'vitest';
import { fakeSlurm, queueLines } from './fake-slurm.test-support.js';
import { followGroup, type GroupState, groupText } from './follow.js';

async function collect(states: AsyncIterable<GroupState>): Promise<string[]> {
  const texts: string[] = [];
  for await (const state of states) texts.push(groupText(state));
  return texts;
}

describe('following', () => {
  it('tells each change once, and ends with the last worker', async () => {
    const looks = [
      ['PENDING', 'PENDING'],
      ['RUNNING', 'PENDING'],
      ['RUNNING', 'PENDING'],
      ['RUNNING', 'RUNNING'],
      ['COMPLETED', 'COMPLETED'],
    ];
    let look = 0;
    const { run, calls } = fakeSlurm({ squeue: () => queueLines('1', looks[look++]!) });
    expect(await collect(followGroup(run, 'meanfield-1', 1))).toEqual([
      '2 pending (Resources)',
      '1 pending, 1 running (Resources)',
      '2 running',
      '2 completed',
    ]);
    expect(calls).toHaveLength(5);
  });

  it('stops when told to, although workers are left', async () => {
    const stop = new AbortController();
    const { run } = fakeSlurm({ squeue: () => queueLines('1', ['RUNNING']) });
    const texts: string[] = [];
    for await (const state of followGroup(run, 'meanfield-1', 60_000, stop.signal)) {
      texts.push(groupText(state));
      stop.abort();
    }
    expect(texts).toEqual(['1 running']);
  });

  it('names states as words', () => {
    expect(groupText({ states: { OUT_OF_MEMORY: 1 }, active: 0, waitingFor: [] })).toBe('1 out of memory');
  });
});
