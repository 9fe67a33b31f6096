import { describe, expect, it } from 'vitest';
import { machineOptions } from '../create.js';
import { tick } from '../tick.js';
import type { RoundOptions } from '../types.js';
import type { Machine } from './coordinator.js';
import type { Schedule } from './schedule.js';
import { simulate } from './simulate.js';
import { type Character, TOKENS_PER_STEP } from './worker.js';

/** Virtual milliseconds of a run. */
const LENGTH = 300_000;
/** Inner steps in a millisecond: rounds take a second. */
const SPEED = 0.05;
const OPTIONS = { steps: 40, minimumMembers: 3, grace: 5000, tokensPerStep: TOKENS_PER_STEP, suspension: 300_000 };

/** One that joins at a time, and leaves at another or never, in virtual milliseconds. */
interface Stay {
  readonly character: Character;
  readonly from: number;
  readonly until?: number;
  readonly speed?: number;
}

const HONEST: Stay[] = [0, 1, 2].map((from) => ({ character: 'honest', from, speed: SPEED * (1 - from / 10) }));
const beside = (count: number, character: Character, from = 2000): Stay[] =>
  Array.from({ length: count }, (_, i) => ({ character, from: from + i }));
/** Another every five seconds, each of which stays for ten. */
const succession = (character: Character): Stay[] =>
  Array.from({ length: 57 }, (_, i) => ({ character, from: 2000 + 5000 * i, until: 12_000 + 5000 * i }));

/** What a run commits of each of those who stay with it, in the order in which they join. */
function play(stays: readonly Stay[], options: Partial<RoundOptions> = {}) {
  const inOrder = [...stays].sort((a, b) => a.from - b.from);
  const committed = inOrder.map(() => ({ tokens: 0, rounds: 0 }));
  let rounds = 0;
  const machine: Machine = (state, event, now) => {
    const step = tick(state, event, now);
    if (step.state.committed === state.committed || now >= LENGTH) return step;
    rounds++;
    for (const { worker, status, contribution } of state.open!.members) {
      const own = committed[Number(worker.slice('worker-'.length))];
      if (!own || status !== 'contributed') continue;
      own.tokens += contribution!.tokens;
      own.rounds++;
    }
    return step;
  };
  const actions: Schedule['actions'][number][] = inOrder.flatMap(({ character, from, until, speed = SPEED }, pick) => [
    { at: from, action: { type: 'join', character, speed } },
    ...(until === undefined ? [] : [{ at: until, action: { type: 'leave', pick } } as const]),
  ]);
  const line = { delay: [1, 20], duplicate: 0, loss: 0 } as const;
  const all = machineOptions({ ...OPTIONS, ...options });
  const rest = { seed: 1, transfer: 50, mergeTime: 20, damage: 0, miss: 0, sharedLine: false, calmAt: LENGTH };
  const whole = { fragments: 1, overlap: 0, shards: 0 };
  simulate({ ...rest, ...whole, options: all, line, actions }, machine);
  const of = (stay: Stay) => committed[inOrder.indexOf(stay)]!;
  return {
    honest: HONEST.reduce((sum, stay) => sum + of(stay).tokens, 0),
    shareOf: (stay: Stay) => of(stay).rounds / rounds,
  };
}

describe('five minutes of rounds of a second, with a grace of five', () => {
  const alone = play(HONEST).honest;

  it.each([
    { who: 'one that never contributes', others: beside(1, 'silent') },
    { who: 'ten that never contribute', others: beside(10, 'silent') },
    { who: 'two that never contribute and were there before the honest', others: beside(2, 'silent', -1) },
    { who: 'two that contribute at random', others: beside(2, 'fickle') },
    { who: 'a new one every 5 s that never contributes', others: succession('silent') },
    { who: 'a new one every 5 s that contributes at random', others: succession('fickle') },
  ])('the honest commit at least 95 % of their tokens beside $who', ({ others }) => {
    expect(play([...HONEST, ...others]).honest / alone).toBeGreaterThan(0.95);
  });

  it.each([true, false])(
    'nobody slow is left behind beside one that never contributes (H follows speed: %s)',
    (adaptiveSteps) => {
      const slow: Stay = { character: 'honest', from: 3, speed: SPEED / 2 };
      expect(play([...HONEST, slow, ...beside(1, 'silent')], { adaptiveSteps }).shareOf(slow)).toBeGreaterThan(0.95);
    },
  );

  it.each([true, false])(
    'a slow newcomer gets in where others wear out the patience (H follows speed: %s)',
    (adaptiveSteps) => {
      const slow: Stay = { character: 'honest', from: 30_500, speed: SPEED / 1.6 };
      const others = [...succession('silent'), ...beside(2, 'silent')];
      expect(play([...HONEST, slow, ...others], { adaptiveSteps }).shareOf(slow)).toBeGreaterThan(0.6);
    },
  );
});
