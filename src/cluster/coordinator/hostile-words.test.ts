import fc from 'fast-check';
import { expect, it } from 'vitest';
import { weightOf } from './coordinator.test-support.js';
import { HONEST, HostilePlay, moves, NORM_PER_STEP, STEPS, speeds, TOKENS_PER_STEP } from './hostile.test-support.js';
import { decodeState, encodeState } from './run-state.js';
import { leasedTo } from './step-run.js';

/** `HOSTILE_CASES=100000` tries as many, in about five minutes. */
const CASES = Number(process.env.HOSTILE_CASES ?? 400);

const isHonest = (worker: string) => HONEST.some((name) => name === worker);

/** Plain comparisons: they are made some thousand times a second. */
function check(play: HostilePlay): void {
  const { state } = play;
  // What cannot be read again would end the run.
  decodeState(encodeState(state), 'the store');
  const { open, workers, suspended, evicted } = state.rounds;
  const wrong = (what: string) => {
    throw new Error(`${what}: ${JSON.stringify(state.rounds)}`);
  };
  if (evicted.length > 0) wrong('evicted');
  if (workers.some(({ stepsPerSecond }) => stepsPerSecond !== null && stepsPerSecond > 1e6)) wrong('too fast');
  if (suspended.some(({ worker }) => isHonest(worker))) wrong('an honest worker is suspended');
  for (const { worker, steps, status, contribution } of open?.members ?? []) {
    if (!(steps >= STEPS / 16 && steps <= 4 * STEPS)) wrong(`H of ${worker}`);
    if (isHonest(worker) && status === 'refused') wrong('an honest worker is refused');
    if (status !== 'contributed') continue;
    if (contribution!.steps !== steps || contribution!.tokens !== steps * TOKENS_PER_STEP) wrong(`word of ${worker}`);
    const { weight } = contribution!;
    if (weight !== weightOf(leasedTo(state.ledger, worker, open!.round))) wrong(`weight of ${worker}`);
    if (!(contribution!.norm <= steps * NORM_PER_STEP)) wrong(`norm of ${worker}`);
  }
}

it(
  'goes on whatever hostile workers say, in any order: states can be read again, honest workers are let alone',
  () => {
    fc.assert(
      fc.property(speeds, moves, (told, all) => {
        const play = new HostilePlay(told);
        for (const move of all) {
          play.move(move);
          check(play);
        }
        // Left alone with hostile ones that are silent, the honest ones commit within a round's time-out and a grace.
        const { round } = play.state.rounds.committed;
        for (let i = 0; i < 40 && play.state.rounds.committed.round === round; i++) {
          for (const worker of HONEST) play.move({ type: 'honest', worker });
          play.move({ type: 'merge', fails: false });
          play.move({ type: 'time', milliseconds: 2000 });
        }
        check(play);
        const { state } = play;
        expect(state.rounds.committed.round).toBeGreaterThan(round);
        expect(decodeState(encodeState(state), 'the store')).toEqual(JSON.parse(JSON.stringify(state)));
      }),
      { numRuns: CASES },
    );
  },
  60_000 + 60 * CASES,
);
