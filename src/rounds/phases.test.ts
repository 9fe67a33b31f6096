import { describe, expect, it } from 'vitest';
import { MACHINES, Play } from './play.test-support.js';

describe('phases', () => {
  it('open with each ready worker at its own pace, and with the H that was last told', () => {
    const play = new Play({ ...MACHINES, adaptiveSteps: true, minimumMembers: 3 });
    for (const [worker, stepsPerSecond] of [
      ['a', 1],
      ['b', 2],
      ['c', 4],
    ] as const)
      play.tell({ type: 'join', run: 'run', worker, incarnation: 1, layoutHash: 'layout', stepsPerSecond });
    play.tell({ type: 'steps', steps: 20 }).report('c').report('b').report('a');
    expect(play.effect('startRound')).toEqual({
      type: 'startRound',
      to: ['a', 'b', 'c'].map((worker) => ({ worker, incarnation: 1 })),
      round: 1,
      base: { round: 0, hash: 'h0' },
      members: [
        { worker: 'a', incarnation: 1, steps: 10 },
        { worker: 'b', incarnation: 1, steps: 20 },
        { worker: 'c', incarnation: 1, steps: 40 },
      ],
    });
    expect(() => play.tell({ type: 'steps', steps: 0 })).toThrow('steps must be a whole number from 1; got 0');
  });

  it('keep a straggler in the run, and count what it missed until it contributes', () => {
    const play = new Play({ ...MACHINES, heartbeatTimeout: null }).ready('a', 'b').contribute('a').at(100);
    play.tell({ type: 'merged', round: 1, hash: 'h1' });
    expect(play.effect('commit')?.to.map(({ worker }) => worker)).toEqual(['a', 'b']);
    expect(play.state.workers.map(({ missed, status }) => [missed, status])).toEqual([
      [0, 'syncing'],
      [1, 'syncing'],
    ]);
    play.report('a').report('b').contribute('b').contribute('a').tell({ type: 'merged', round: 2, hash: 'h2' });
    expect(play.state.workers.map(({ missed }) => missed)).toEqual([0, 0]);
  });

  it('do not wait a second time for one that owes its report', () => {
    const play = new Play({ ...MACHINES, heartbeatTimeout: null }).ready('a', 'b').contribute('a').contribute('b');
    play.tell({ type: 'merged', round: 1, hash: 'h1' }).report('a').at(100);
    expect(play.members).toEqual({ a: 'training' });
    expect(play.state.workers.map(({ status }) => status)).toEqual(['ready', 'joined']);
  });

  it('stop after the round in progress, when all have shown that they hold its result', () => {
    const play = new Play(MACHINES).ready('a').tell({ type: 'stop' });
    expect(play.join('late').refusals).toEqual(['stopped']);
    play.contribute('a').tell({ type: 'merged', round: 1, hash: 'h1' });
    expect(play.state.phase).toBe('gathering');
    expect(play.report('a').effect('stopped')).toMatchObject({ committed: { round: 1, hash: 'h1' } });
    expect(play.state.phase).toBe('stopped');
  });
});
