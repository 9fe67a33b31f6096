import { expect, it } from 'vitest';
import { coverage } from '../../data/ledger/index.js';
import { contextOf, firstState, hashOf, Play, refOf, weightOf } from './coordinator.test-support.js';
import { leasedTo, worthStoring } from './step-run.js';

/** As {@link opened}, of a run that goes on with one. */
function openedWithFew(context = contextOf()): Play {
  const play = opened(new Play(context));
  const { rounds } = play.state;
  play.state = { ...play.state, rounds: { ...rounds, options: { ...rounds.options, minimumMembers: 1 } } };
  return play;
}

function opened(play = new Play()): Play {
  play.join('a');
  play.join('b');
  expect(play.state.rounds.phase).toBe('training');
  return play;
}

it('gives each member samples of its own when a round opens, and notes where the rate stands', () => {
  const { state } = opened();
  expect(state.opening).toEqual({ round: 1, position: 0, advance: 4, contributions: [] });
  expect(leasedTo(state.ledger, 'a', 1)).toEqual([{ epoch: 0, start: 0, end: 8 }]);
  expect(leasedTo(state.ledger, 'b', 1)).toEqual([{ epoch: 0, start: 8, end: 16 }]);
});

it('counts what was committed: steps by tokens, samples once, the result in the chain', () => {
  const play = opened();
  play.contribute('a', 4, 1);
  // Samples 0 to 7 weigh 36 together, samples 8 to 15 weigh 100.
  expect(play.contribute('b', 4, 4.4).effects.map(({ type }) => type)).toContain('merge');
  play.now = 5000;
  play.merged();
  const { progress, chain, ledger, opening } = play.state;
  expect(progress).toMatchObject({ position: 4, tokens: 160, seconds: 5, train_loss: (36 + 100 * 4.4) / 136 });
  expect(chain.results).toEqual([{ round: 1, hash: hashOf(1), fragment: 0, manifest: refOf('run/r/1/x/list') }]);
  expect(coverage(ledger)[0]).toMatchObject({ done: 16, leased: 0, returned: 0 });
  expect(opening).toBeNull();
  // Kept for audits until the next commit.
  const kept = ['a', 'b'].map((worker) => ({ worker, manifest: refOf(`${worker}/c/1/0/list`), tokens: 80, norm: 1 }));
  expect(play.state.last).toEqual({ round: 1, contributions: kept });
});

it('lets nobody weigh more or less than the samples that it was given', () => {
  const play = openedWithFew();
  const told = () =>
    play.last.effects.flatMap((effect) => (effect.type === 'refuse' ? `${effect.code}: ${effect.reason}` : []));
  play.contribute('a', 4, 2, { weight: 37 });
  expect(told()).toEqual(['wrong-weight: the samples that it was given weigh 36; got 37']);
  play.contribute('a');
  expect(told()).toEqual(['too-late: a was refused in round 1 already']);
  const merge = play.contribute('b').effects.find(({ type }) => type === 'merge');
  expect(merge).toMatchObject({ totalWeight: 100, contributions: [{ worker: 'b', weight: 100 }] });
});

it('reads what samples weigh once a member, and not for who is none', () => {
  let read = 0;
  const weigh = (samples: Parameters<typeof weightOf>[0]) => {
    read++;
    return weightOf(samples);
  };
  const play = openedWithFew({ ...contextOf(), weigh });
  for (let i = 0; i < 3; i++) play.contribute('a', 4, 2, { weight: 1 });
  play.contribute('stranger', 4, 2, { weight: 1 });
  play.contribute('a', 4, 2, { round: 9 });
  expect(read).toBe(1);
});

it('gives back the samples of a round that came to nothing, and of who was left out', () => {
  const play = opened();
  play.contribute('a');
  for (const worker of ['a', 'b'])
    play.happen({ type: 'event', event: { type: 'leave', run: 'r', worker, incarnation: 0, reason: 'x' } });
  expect(play.state.rounds.phase).toBe('gathering');
  expect(coverage(play.state.ledger)[0]).toMatchObject({ done: 0, leased: 0, returned: 16 });
  expect(play.state.opening).toBeNull();

  const other = opened(new Play(contextOf(), firstState(1)));
  // The first opened the round alone; the second was ready when it had.
  expect(other.state.rounds.open!.members).toHaveLength(1);
  other.contribute('a');
  other.merged();
  for (const worker of ['a', 'b']) other.report(worker);
  expect(leasedTo(other.state.ledger, 'b', 2)).toHaveLength(1);
  other.contribute('a');
  other.now = 700_000;
  other.happen({ type: 'event', event: { type: 'timer' } });
  other.merged();
  expect(coverage(other.state.ledger)[0]).toMatchObject({ done: 16, returned: 8 });
});

it('ends at its end, with a last round as short as it must be', () => {
  const play = opened(new Play(contextOf(1, 13)));
  for (const round of [1, 2, 3]) {
    expect(play.state.rounds.open!.round).toBe(round);
    for (const worker of ['a', 'b']) play.contribute(worker);
    play.merged();
    for (const worker of ['a', 'b']) if (play.state.rounds.phase !== 'training') play.report(worker);
  }
  // 12 of 13 steps are done.
  expect(play.state.rounds.steps).toBe(1);
  expect(play.state.rounds.open!.members.map(({ steps }) => steps)).toEqual([1, 1]);
  for (const worker of ['a', 'b']) play.contribute(worker, 1);
  play.merged();
  for (const worker of ['a', 'b']) if (play.state.rounds.phase !== 'stopped') play.report(worker);
  expect(play.state.rounds.phase).toBe('stopped');
  expect(play.state.progress.position).toBe(13);
});

it('gives out samples ahead where training goes on through the exchange', () => {
  const play = opened(new Play(contextOf(2)));
  const ahead = leasedTo(play.state.ledger, 'a', 2);
  expect(ahead).toHaveLength(1);
  for (const worker of ['a', 'b']) play.contribute(worker);
  play.merged();
  expect(play.state.chain.results[0]!.fragment).toBe(0);
  for (const worker of ['a', 'b']) play.report(worker);
  expect(play.state.rounds.open!.round).toBe(2);
  // They may have been trained on already, so they stay as they are.
  expect(leasedTo(play.state.ledger, 'a', 2)).toEqual(ahead);
});

it('replaces the chain by a snapshot, whose predecessors go with the next', () => {
  const play = opened();
  for (const worker of ['a', 'b']) play.contribute(worker);
  play.merged();
  const snapshot = { round: 1, hash: hashOf(1), manifest: refOf('run/s/1/list') };
  play.happen({ type: 'snapshot', snapshot });
  expect(play.state.chain).toEqual({ snapshot, results: [] });
  expect(play.state.retired.map(({ key }) => key)).toEqual(['run/s/0/list', 'run/r/1/x/list']);
});

it('stores what matters: not that someone is alive', () => {
  const play = opened();
  const before = play.state;
  play.now = 400;
  const beat = { type: 'heartbeat', run: 'r', worker: 'a', incarnation: 0, holds: 0, round: 1 } as const;
  play.happen({ type: 'event', event: beat });
  expect(play.state).not.toBe(before);
  expect(worthStoring(before, play.state)).toBe(false);
  play.contribute('a');
  expect(worthStoring(before, play.state)).toBe(true);
  const after = play.state;
  play.happen({ type: 'admitted', host: 'h', workers: ['h-1', 'h-2'] });
  expect(worthStoring(after, play.state)).toBe(true);
  expect(play.state).toMatchObject({ next: 3, hosts: { 'h-1': 'h', 'h-2': 'h' } });
  play.happen({ type: 'evaluated', loss: 1.5, best: 1.25 });
  expect(play.state.progress).toMatchObject({ val_loss: 1.5, best_val_loss: 1.25 });
});
