import { describe, expect, it } from 'vitest';
import { MACHINES, Play } from './play.test-support.js';

const two = { ...MACHINES, minimumMembers: 2 };

describe('joining', () => {
  it('is answered with the committed parameters, and again when it comes twice', () => {
    const play = new Play(MACHINES).join('a');
    const welcome = {
      type: 'welcome',
      to: [{ worker: 'a', incarnation: 1 }],
      committed: { round: 0, hash: 'h0' },
      closed: 0,
    };
    expect(play.effects[0]).toEqual(welcome);
    expect(play.join('a').effects).toEqual([welcome]);
    expect(play.state.workers).toHaveLength(1);
  });

  it('waits for the next round', () => {
    const play = new Play(MACHINES).ready('a').ready('b');
    expect(play.members).toEqual({ a: 'training' });
    expect(play.contribute('b').refusals).toEqual(['not-a-member']);
    play.contribute('a').tell({ type: 'merged', round: 1, hash: 'h1' }).report('b').report('a');
    expect(play.members).toEqual({ a: 'training', b: 'training' });
  });

  it('is refused with another layout, an old incarnation, a life that has ended', () => {
    const play = new Play(MACHINES).join('a', 3);
    expect(play.join('a', 2).refusals).toEqual(['old-incarnation']);
    play.leave('a', 3);
    expect(play.join('a', 3).effect('refuse')?.reason).toContain('incarnation 3 of a was here already');
    expect(play.join('a', 4).types).toEqual(['welcome']);
    play.tell({ type: 'join', run: 'run', worker: 'b', incarnation: 1, layoutHash: 'x', stepsPerSecond: null });
    expect(play.refusals).toEqual(['wrong-layout']);
  });

  it('with a new incarnation replaces the old one, which leaves the round', () => {
    const play = new Play(two).ready('a', 'b');
    play.join('a', 2);
    expect(play.types).toEqual(['evict', 'welcome', 'abort']);
    expect(play.contribute('a').refusals).toEqual(['old-incarnation']);
    expect(play.state.workers.map(({ worker, incarnation }) => [worker, incarnation])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });

  it('takes no speed that is none', () => {
    const play = new Play(MACHINES);
    for (const [worker, stepsPerSecond] of [
      ['a', -1],
      ['b', Number.POSITIVE_INFINITY],
      ['c', 2],
    ] as const)
      play.tell({ type: 'join', run: 'run', worker, incarnation: 1, layoutHash: 'layout', stepsPerSecond });
    expect(play.state.workers.map((worker) => worker.stepsPerSecond)).toEqual([null, null, 2]);
  });
});

describe('going', () => {
  it('keeps what was contributed', () => {
    const play = new Play(two).ready('a', 'b').contribute('a').leave('a');
    expect(play.members).toEqual({ a: 'contributed', b: 'training' });
    expect(
      play
        .contribute('b')
        .effect('merge')
        ?.contributions.map(({ worker }) => worker),
    ).toEqual(['a', 'b']);
  });

  it('before the join has come raises no ghost', () => {
    const play = new Play(MACHINES).leave('a').join('a').report('a');
    expect(play.state.workers).toEqual([]);
  });

  it('of an old life leaves the new one alone', () => {
    const play = new Play(MACHINES).join('a', 2).leave('a', 1);
    expect(play.state.workers).toHaveLength(1);
    expect(play.reason).toContain('lives on as incarnation 2');
  });

  it('by silence removes exactly the silent, and completes the round', () => {
    const play = new Play(MACHINES).ready('a', 'b');
    play.now = 500;
    play.contribute('a');
    expect(play.at(999).types).toEqual(['merge']); // quorum at 500, grace 100
    expect(play.at(1000).effect('evict')).toEqual({
      type: 'evict',
      to: [{ worker: 'b', incarnation: 1 }],
      reason: 'nothing heard for 1000 ms',
    });
    expect(play.state.workers.map(({ worker }) => worker)).toEqual(['a']);
  });

  it('by eviction takes effect at once, on the contribution too, and for good', () => {
    const play = new Play(MACHINES).ready('a', 'b').contribute('a');
    play.tell({ type: 'evict', worker: 'a', reason: 'test' });
    expect(play.members).toEqual({ a: 'refused', b: 'training' });
    expect(play.join('a', 2).refusals).toEqual(['evicted']);
    expect(
      play
        .contribute('b')
        .effect('merge')
        ?.contributions.map(({ worker }) => worker),
    ).toEqual(['b']);
    expect(play.tell({ type: 'evict', worker: 'x', reason: 'early' }).state.evicted).toEqual(['a', 'x']);
  });
});
