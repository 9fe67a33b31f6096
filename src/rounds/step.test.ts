import { describe, expect, it } from 'vitest';
import { MACHINES, Play } from './play.test-support.js';
import { andThen, chain, closedRound, standing, step } from './step.js';

const timeless = { type: 'accepted', to: [], round: 1 } as const;

describe('steps', () => {
  it('add up effects and reasons', () => {
    const { state } = new Play(MACHINES);
    const stopping = { ...state, stopping: true };
    const both = andThen(step(state, 'one', timeless), stopping, 'two', { ...timeless, round: 2 });
    expect(both).toEqual({ state: stopping, effects: [timeless, { ...timeless, round: 2 }], reason: 'one; two' });
    expect(andThen(step(state, 'one'), state, '').reason).toBe('one');
    expect(chain(step(state, ''), (at) => step(at, 'only')).reason).toBe('only');
  });

  it('an open round is not closed, its predecessor is', () => {
    const play = new Play(MACHINES);
    expect(closedRound(play.state)).toBe(0);
    play.ready('a');
    expect([play.state.round, closedRound(play.state)]).toEqual([1, 0]);
    play.contribute('a').tell({ type: 'merged', round: 1, hash: 'h1' });
    expect(standing(play.state, play.state.workers)).toEqual({
      to: [{ worker: 'a', incarnation: 1 }],
      committed: { round: 1, hash: 'h1' },
      closed: 1,
    });
  });
});
