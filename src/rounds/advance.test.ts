import { describe, expect, it } from 'vitest';
import { advance } from './advance.js';
import { MACHINES, Play } from './play.test-support.js';
import { step } from './step.js';

describe('advance', () => {
  it('starts the grace at the quorum, and takes it back when the quorum is lost', () => {
    const play = new Play({ ...MACHINES, minimumMembers: 2, heartbeatTimeout: null }).ready('a', 'b', 'c', 'd');
    play.now = 10;
    play.contribute('a').contribute('b');
    expect(play.state.open?.quorumAt).toBe(10);
    play.tell({ type: 'evict', worker: 'b', reason: 'test' });
    expect(play.state.open?.quorumAt).toBeNull();
    play.now = 200;
    expect(play.contribute('c').state).toMatchObject({ phase: 'training', open: { quorumAt: 200 } });
    expect(
      play
        .at(300)
        .effect('merge')
        ?.contributions.map(({ worker }) => worker),
    ).toEqual(['a', 'c']);
  });

  it('goes on through as many phases as it can in one event', () => {
    const play = new Play({ ...MACHINES, grace: 0 }).ready('a', 'b');
    expect(play.contribute('a').types).toEqual(['accepted', 'merge']);
  });

  it('changes nothing where there is nothing to do', () => {
    const { state } = new Play(MACHINES).ready('a');
    expect(advance(step(state, ''), 1).state).toBe(state);
  });
});
