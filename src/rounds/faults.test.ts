import { describe, expect, it } from 'vitest';
import { threadOptions } from './create.js';
import { MACHINES, Play } from './play.test-support.js';
import type { RoundsState } from './types.js';

// Faults of earlier systems of this kind, one test each. The fifth, heartbeats behind tensors, is in
// simulation/broken.test.ts, where there are lines for tensors to block.
describe('faults seen elsewhere', () => {
  it('a fresh worker with random weights forms no quorum of one, and its weights are never the truth', () => {
    const play = new Play(MACHINES).join('fresh').report('fresh', 'random');
    expect(play.state).toMatchObject({ phase: 'gathering', committed: { round: 0, hash: 'h0' } });
    expect(play.effect('heal')).toMatchObject({ committed: { round: 0, hash: 'h0' } });
    play.contribute('fresh', { round: 1 });
    expect(play.refusals).toEqual(['future-round']);
    expect(play.report('fresh', 'h0').state.phase).toBe('training');
  });

  it('a failed merge is an abort that sends all back, not a local update', () => {
    const play = new Play(threadOptions(2, 10)).ready('a', 'b').contribute('a').contribute('b');
    play.tell({ type: 'mergeFailed', round: 1, reason: 'a line broke', workers: [] });
    expect(play.effect('abort')).toMatchObject({
      round: 1,
      closed: 1,
      committed: { round: 0, hash: 'h0' },
      reason: 'a line broke',
    });
    play.report('a', 'local update').report('b');
    expect(play.state.phase).toBe('gathering');
    expect(play.report('a').effect('startRound')).toMatchObject({ round: 2, base: { round: 0, hash: 'h0' } });
    expect(play.contribute('a', { baseHash: 'local update' }).types).toContain('heal');
    expect(play.refusals).toEqual(['wrong-base']);
  });

  it('a participant leaves and the round is complete at once', () => {
    const play = new Play({ ...threadOptions(1, 10) }).ready('a');
    play.join('b').report('b').contribute('a').tell({ type: 'merged', round: 1, hash: 'h1' }).report('a').report('b');
    expect(play.contribute('a').state.phase).toBe('training');
    expect(play.leave('b').effect('merge')).toMatchObject({ round: 2, contributions: [{ worker: 'a' }] });
  });

  it('messages of future and of past rounds are refused with a reason', () => {
    const play = new Play(MACHINES).ready('a');
    expect(play.contribute('a', { round: 2 }).effect('refuse')).toMatchObject({
      code: 'future-round',
      reason: 'the open round is 1; 2 is still to come',
    });
    expect(play.contribute('a', { round: 0 }).effect('refuse')).toMatchObject({
      code: 'past-round',
      reason: 'the open round is 1; 0 is past',
    });
    expect(play.members).toEqual({ a: 'training' });
  });

  it('an idle connection is no participant: it opens no round and no one waits for it', () => {
    const play = new Play({ ...MACHINES, minimumMembers: 2 }).join('idle').ready('a');
    expect(play.state.phase).toBe('gathering');
    play.ready('b');
    expect(play.members).toEqual({ a: 'training', b: 'training' });
    expect(play.contribute('a').contribute('b').effect('merge')?.contributions).toHaveLength(2);
  });

  it('one that only sends heartbeats stops counting for the quorum after some rounds', () => {
    const options = { ...MACHINES, quorum: 1, heartbeatTimeout: null, idleRounds: 2 };
    const play = new Play({ ...options, minimumMembers: 2 }).ready('a', 'b');
    for (const end of [5000, 10_000]) {
      play.contribute('a').at(end);
      expect(play.types).toEqual(['abort']);
      play.report('a').report('b');
    }
    expect(play.state.open?.members.map(({ worker, counted }) => [worker, counted])).toEqual([
      ['a', true],
      ['b', false],
    ]);
  });

  it("the coordinator's death does not end the run: another carries on from the stored state", () => {
    const play = new Play(threadOptions(2, 10)).ready('a', 'b').contribute('b');
    play.state = JSON.parse(JSON.stringify(play.state)) as RoundsState;
    play.now = -1_000_000; // another machine, another clock
    play.tell({ type: 'restart' });
    expect(play.effect('startRound')).toMatchObject({ round: 1, to: [{ worker: 'a', incarnation: 1 }] });
    expect(
      play
        .contribute('a')
        .effect('merge')
        ?.contributions.map(({ worker }) => worker),
    ).toEqual(['a', 'b']);
    expect(play.tell({ type: 'restart' }).effect('merge')?.round).toBe(1);
    expect(play.tell({ type: 'merged', round: 1, hash: 'h1' }).state.committed).toEqual({ round: 1, hash: 'h1' });
    expect(play.tell({ type: 'restart' }).effect('commit')).toMatchObject({ closed: 1, committed: { hash: 'h1' } });
  });
});
