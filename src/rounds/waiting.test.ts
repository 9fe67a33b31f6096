import { describe, expect, it } from 'vitest';
import { threadOptions } from './create.js';
import { MACHINES, Play } from './play.test-support.js';
import { nextDeadline, waitingChanged, waitingFor } from './waiting.js';

describe('waiting', () => {
  it('says for whom, since when, how long and what then, through a whole round', () => {
    const play = new Play({ ...MACHINES, heartbeatTimeout: null, minimumMembers: 2 });
    const seen: unknown[] = [];
    const look = () => {
      const { kind, for: names, since, until, afterwards } = waitingFor(play.state)!;
      seen.push([kind, names.join(' '), since, until, afterwards]);
    };
    look();
    play.now = 10;
    play.ready('a', 'b', 'c');
    look();
    play.now = 20;
    play.contribute('a').contribute('b');
    look();
    play.at(120);
    look();
    play.tell({ type: 'merged', round: 1, hash: 'h1' }).report('c').report('a');
    look();
    expect(seen).toEqual([
      ['members', '', 0, null, 'round 1 opens with those that are ready'],
      ['contributions', 'a b c', 10, 5010, 'round 1 is aborted unless enough have contributed'],
      ['contributions', 'c', 10, 120, 'round 1 is merged with the contributions that are there'],
      ['merge', '', 120, null, 'round 1 is committed'],
      ['reports', 'b', 120, 220, 'round 2 opens with those that are ready'],
    ]);
  });

  it('is told only when it changes', () => {
    const play = new Play(threadOptions(2, 1)).ready('a', 'b');
    expect(play.effect('waiting')).toMatchObject({ kind: 'contributions', for: ['a', 'b'], until: null });
    const before = play.state;
    expect(play.contribute('a').effect('waiting')).toBeUndefined();
    expect(waitingChanged(before, play.state)).toBeNull();
    expect(waitingFor(play.state)?.for).toEqual(['b']);
  });

  it('is over with the run', () => {
    const play = new Play(MACHINES).tell({ type: 'stop' });
    expect([waitingFor(play.state), nextDeadline(play.state)]).toEqual([null, null]);
  });
});

describe('nextDeadline', () => {
  it('is the earliest of heartbeats, grace and round', () => {
    const play = new Play(MACHINES);
    expect(nextDeadline(play.state)).toBeNull();
    play.ready('a', 'b');
    expect(nextDeadline(play.state)).toBe(1000);
    play.now = 950;
    expect(nextDeadline(play.contribute('a').state)).toBe(1000); // b's heartbeat
    play.tell({ type: 'heartbeat', run: 'run', worker: 'b', incarnation: 1, holds: 0, round: 1 });
    expect(nextDeadline(play.state)).toBe(1050); // the grace
  });

  it('never comes between threads', () => {
    expect(nextDeadline(new Play(threadOptions(1, 1)).ready('a').state)).toBeNull();
  });
});
