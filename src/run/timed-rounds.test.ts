import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readTimedRounds, type TimedRound, TimedRounds } from './timed-rounds.js';

/** Goes through a run whose steps take what `pace` says, in seconds. */
function run(rounds: TimedRounds, pace: (seconds: number) => number, from = { step: 0, seconds: 0 }) {
  const gone: TimedRound[] = [];
  let { step, seconds } = from;
  for (;;) {
    const round = rounds.next(step, seconds);
    if (!round) return { gone, step, seconds };
    const taken = round.steps * pace(seconds);
    rounds.done(round, taken);
    gone.push(round);
    step += round.steps;
    seconds += taken;
  }
}

it('follows the time on a machine that slows down, and ends with it', () => {
  const { gone, seconds } = run(new TimedRounds(100, 25), (at) => (at < 20 ? 0.01 : 0.1));
  expect(gone[0]).toEqual({ step: 0, steps: 1, from: 0, to: 0 });
  // The last round holds only what fits.
  expect(seconds).toBeGreaterThanOrEqual(100);
  expect(seconds).toBeLessThan(100.2);
  expect(gone.at(-1)!.to).toBe(1);
  for (const [i, { from, to }] of gone.entries()) {
    expect(to).toBeGreaterThanOrEqual(from);
    if (i > 0) expect(from).toBeGreaterThan(gone[i - 1]!.from);
  }
});

it('goes through recorded rounds again as they were, whatever the time', () => {
  const first = run(new TimedRounds(10, 5), () => 0.05);
  const recorded = first.gone.filter(({ step }) => step >= 51 && step < 100);
  const again = run(new TimedRounds(10, 5, recorded), () => 0.2, { step: 51, seconds: 2.55 });
  expect(again.gone.slice(0, recorded.length)).toEqual(recorded);
  expect(again.seconds).toBeGreaterThanOrEqual(10);
});

it('keeps room for the evaluation at the end', () => {
  const rounds = new TimedRounds(100, 25);
  rounds.evaluated(10);
  const { seconds } = run(rounds, () => 0.1);
  expect(seconds).toBeGreaterThanOrEqual(90);
  expect(seconds).toBeLessThan(90.2);
  expect([rounds.left(0), rounds.left(95)]).toEqual([90, 0]);
});

it('reads what a run recorded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-timed-'));
  const path = join(folder, 'metrics.jsonl');
  const round = { step: 25, steps: 25, from: 0.1, to: 0.2 };
  const lines = [
    { type: 'progress', step: 25, timed_rounds: [{ ...round, step: 0 }] },
    { type: 'progress', step: 50, timed_rounds: [round] },
    { type: 'progress', step: 75, timed_rounds: [{ ...round, to: 'x' }] },
  ];
  await writeFile(path, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"timed_rounds":[{"st`);
  expect(await readTimedRounds(path, 25)).toEqual([round]);
  expect(await readTimedRounds(join(folder, 'none'), 0)).toEqual([]);
  await rm(folder, { recursive: true });
});
