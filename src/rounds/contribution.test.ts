import { describe, expect, it } from 'vitest';
import { MACHINES, Play } from './play.test-support.js';

const open = () => new Play({ ...MACHINES, grace: null }).ready('a', 'b', 'c');

describe('contributions', () => {
  it('count once however often they come', () => {
    const play = open().contribute('a');
    const { state } = play;
    expect(play.effects[0]).toEqual({ type: 'accepted', to: [{ worker: 'a', incarnation: 1 }], round: 1 });
    expect(play.contribute('a').types).toEqual(['accepted']);
    expect(play.state).toEqual(state);
    expect(play.contribute('a', { contentHash: 'other' }).refusals).toEqual(['conflict']);
    expect(play.state.open).toEqual(state.open);
  });

  it.each([
    { change: { layoutHash: 'x' }, code: 'wrong-layout' },
    { change: { length: 5 }, code: 'wrong-shape' },
    { change: { finite: false }, code: 'not-finite' },
    { change: { norm: Number.NaN }, code: 'not-finite' },
    { change: { norm: Number.POSITIVE_INFINITY }, code: 'not-finite' },
    { change: { norm: -1 }, code: 'malformed' },
    { change: { tokens: 0 }, code: 'malformed' },
    { change: { tokens: 2 ** 60 }, code: 'malformed' },
    { change: { weight: 0 }, code: 'malformed' },
    { change: { weight: -3 }, code: 'malformed' },
    { change: { weight: Number.NaN }, code: 'malformed' },
    { change: { weight: Number.POSITIVE_INFINITY }, code: 'malformed' },
    { change: { weight: 2 ** 60 }, code: 'malformed' },
    { change: { steps: 0.5 }, code: 'malformed' },
    { change: { contentHash: '' }, code: 'malformed' },
    { change: { baseHash: 'x' }, code: 'wrong-base' },
  ])('are refused and out of the round: $code of $change', ({ change, code }) => {
    const play = open().contribute('a', change);
    expect(play.refusals).toEqual([code]);
    expect(play.members).toEqual({ a: 'refused', b: 'training', c: 'training' });
    expect(play.contribute('a').refusals).toEqual(['too-late']);
    play.contribute('c').contribute('b');
    expect(play.effect('merge')?.contributions.map(({ worker }) => worker)).toEqual(['b', 'c']);
  });

  it('that are too late for the merge are refused, repeated ones accepted again', () => {
    const play = new Play(MACHINES).ready('a', 'b').contribute('a').at(100);
    expect(play.state.phase).toBe('merging');
    expect(play.contribute('b').refusals).toEqual(['too-late']);
    expect(play.contribute('a').types).toEqual(['accepted']);
  });

  it('with an outlying norm are refused when the round is complete, and the rest merged', () => {
    const play = open().contribute('b', { norm: 1e4 }).contribute('a').contribute('c');
    expect(play.types).toEqual(['accepted', 'refuse', 'merge']);
    expect(play.effect('refuse')).toMatchObject({ to: [{ worker: 'b' }], code: 'outlier' });
    expect(play.effect('merge')?.contributions.map(({ worker }) => worker)).toEqual(['a', 'c']);
  });

  it('are merged in replica order with what they learned from as weights, whatever their tokens', () => {
    const play = new Play(MACHINES).ready('replica-10', 'replica-9', 'replica-2');
    play.contribute('replica-10', { weight: 1 }).contribute('replica-2', { weight: 2.5 });
    play.contribute('replica-9', { weight: 3 });
    const merge = play.effect('merge')!;
    expect(merge.contributions.map(({ worker, tokens, weight }) => [worker, tokens, weight])).toEqual([
      ['replica-2', 640, 2.5],
      ['replica-9', 640, 3],
      ['replica-10', 640, 1],
    ]);
    expect(merge).toMatchObject({ round: 1, base: { round: 0, hash: 'h0' }, totalWeight: 6.5 });
  });

  it('weigh what the driver knows of their samples, and nothing else', () => {
    const play = open();
    const { open: round } = play.state;
    play.state = { ...play.state, open: { ...round!, members: round!.members.map((one) => ({ ...one, weight: 7 })) } };
    expect(play.contribute('a', { weight: 8 }).refusals).toEqual(['wrong-weight']);
    expect(play.effect('refuse')?.reason).toBe('the samples that it was given weigh 7; got 8');
    expect(play.contribute('b', { weight: 7 }).contribute('c', { weight: 7 }).effect('merge')).toMatchObject({
      totalWeight: 14,
    });
  });

  it('measure the speed', () => {
    const play = open().contribute('a', { steps: 10, seconds: 2 });
    expect(play.state.workers[0]?.stepsPerSecond).toBe(5);
  });
});

describe('merges', () => {
  const merging = () => open().contribute('a').contribute('b').contribute('c');

  it('commit once', () => {
    const play = merging().tell({ type: 'merged', round: 1, hash: 'h1' });
    expect(play.state.committed).toEqual({ round: 1, hash: 'h1' });
    expect(play.tell({ type: 'merged', round: 1, hash: 'other' }).state.committed.hash).toBe('h1');
    expect(play.reason).toContain('ignored');
  });

  it('that fail for a damaged contribution go on without it', () => {
    const play = merging().tell({ type: 'mergeFailed', round: 1, reason: 'hash differs', workers: ['b'] });
    expect(play.effect('refuse')).toMatchObject({ code: 'damaged', reason: 'hash differs', to: [{ worker: 'b' }] });
    expect(play.effect('merge')?.contributions.map(({ worker }) => worker)).toEqual(['a', 'c']);
  });

  it('that fail otherwise, or blame strangers, abort; the number is not used again', () => {
    for (const workers of [[], ['x']]) {
      const play = merging().tell({ type: 'mergeFailed', round: 1, reason: 'no disk', workers });
      expect(play.types).toEqual(['abort']);
      expect(play.state).toMatchObject({ phase: 'gathering', round: 1, committed: { round: 0 } });
      expect(play.report('a').report('b').report('c').effect('startRound')?.round).toBe(2);
    }
  });
});
