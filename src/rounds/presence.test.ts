import { describe, expect, it } from 'vitest';
import { from, MACHINES, Play } from './play.test-support.js';

const beat = (play: Play, worker: string, holds: number | null, round: number | null) =>
  play.tell({ ...from(worker), type: 'heartbeat', holds, round });

describe('heartbeats', () => {
  it('keep a worker alive', () => {
    const play = new Play(MACHINES).ready('a');
    for (let now = 900; now < 4000; now += 900) {
      play.at(now);
      beat(play, 'a', 0, 1);
    }
    expect(play.state.workers).toHaveLength(1);
    expect(play.at(5000).state.workers).toEqual([]);
  });

  it('bring back what was lost: the standing, the start of the round', () => {
    const play = new Play(MACHINES).join('a');
    expect(beat(play, 'a', null, null).types).toEqual(['commit']);
    play.report('a');
    expect(beat(play, 'a', 0, null).effect('startRound')).toMatchObject({ round: 1, to: [{ worker: 'a' }] });
    expect(beat(play, 'a', 0, 1).types).toEqual([]);
    play.contribute('a').tell({ type: 'merged', round: 1, hash: 'h1' });
    expect(beat(play, 'a', 0, 1).effect('commit')).toMatchObject({ closed: 1, committed: { round: 1 } });
  });

  it('of strangers are refused', () => {
    expect(beat(new Play(MACHINES), 'x', null, null).refusals).toEqual(['unknown-worker']);
  });
});

describe('reports', () => {
  it('of the wrong hash heal, and evict when healing does not help', () => {
    const play = new Play(MACHINES).join('a');
    for (let i = 0; i < 3; i++) expect(play.report('a', 'bad').types).toEqual(['heal']);
    expect(play.report('a', 'bad').effect('evict')?.reason).toBe(
      'still wrong after 3 healings: the parameters of round 0 have hash h0; got bad',
    );
    expect(play.state.workers).toEqual([]);
  });

  it('of the right hash forget former wrong ones', () => {
    const play = new Play({ ...MACHINES, minimumMembers: 2 }).join('a').report('a', 'bad').report('a');
    expect(play.state.workers[0]).toMatchObject({ status: 'ready', heals: 0 });
  });

  it('of another round, or from before an abort, do not count', () => {
    const play = new Play({ ...MACHINES, minimumMembers: 2 }).ready('a', 'b');
    const report = { ...from('a'), type: 'report', round: 0, closed: 0, hash: 'h0' } as const;
    play.leave('b');
    expect(play.state).toMatchObject({ phase: 'gathering', round: 1 });
    expect(play.tell(report).refusals).toEqual(['past-round']);
    expect(play.effect('commit')).toMatchObject({ closed: 1 });
    expect(play.tell({ ...report, round: 1, closed: 1 }).refusals).toEqual(['future-round']);
    expect(play.state.workers[0]?.status).toBe('syncing');
    expect(play.tell({ ...report, closed: 1 }).state.workers[0]?.status).toBe('ready');
  });

  it('that differ in an open round put the worker out of it, delivered or not', () => {
    const play = new Play(MACHINES).ready('a', 'b', 'c');
    play.contribute('a');
    play.tell({ ...from('a'), type: 'report', round: 0, closed: 0, hash: 'bad' });
    expect(play.members).toMatchObject({ a: 'refused' });
    expect(play.types).toEqual(['heal']);
  });
});
