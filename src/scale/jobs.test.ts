import { describe, expect, it } from 'vitest';
import { gapPoints, type JobResult, type LadderJob, stageOf, truthJobs, tunedRates } from './jobs.js';
import { type Ladder, makeLadder } from './ladder.js';

const alone = makeLadder(
  { least: 30_000, most: 500_000, predict: 1_000_000, context: 64, batchSize: 16, seed: 7, seeds: 2 },
  100,
);

const ladder = alone;

/** A loss as it might be, lowest at a rate that falls with the size. */
function lossOf({ size, steps, rate, averaging }: LadderJob): number {
  const best = 8e-3 * (30_000 / size.parameters) ** 0.4;
  const gap = averaging ? 0.002 * Math.log2(averaging.replicas) * averaging.syncEvery ** 0.5 : 0;
  return (1 + gap) * (1.2 + 20 / size.parameters ** 0.3 + 8 / steps ** 0.4 + 0.05 * Math.log(rate / best) ** 2);
}

/** Does jobs in an order until there are none; tells the stages as they came. */
function play(pick: (open: LadderJob[]) => LadderJob, results: Record<string, JobResult> = {}, ladder: Ladder = alone) {
  const stages: string[] = [];
  for (;;) {
    const { name, jobs } = stageOf(ladder, results);
    if (stages.at(-1) !== name) stages.push(name);
    const open = jobs.filter(({ id }) => results[id] === undefined);
    if (name === 'done') return { stages, results };
    const job = pick(open);
    results[job.id] = { loss: lossOf(job), seconds: 1 };
  }
}

function rateLawOf(results: Record<string, JobResult>) {
  const tuned = tunedRates(ladder, results);
  if (!('law' in tuned)) throw new Error('not tuned');
  return tuned.law;
}

describe('stageOf', () => {
  it('tunes two sizes, then trains 15 rungs, then the predicted run with each seed', () => {
    const { stages, results } = play((open) => open[0]!);
    expect(stages).toEqual(['tune', 'rungs', 'truth', 'done']);
    const ids = Object.keys(results);
    expect(ids.filter((id) => id.startsWith('rung-'))).toHaveLength(15);
    const law = rateLawOf(results);
    const jobs = truthJobs(ladder, law);
    expect(jobs.map(({ id }) => results[id] !== undefined)).toEqual([true, true]);
    expect(jobs.map(({ seed }) => seed)).toEqual([7, 8]);
    expect(new Set(jobs.map(({ rate }) => rate)).size).toBe(1);
    expect(law.exponent).toBeCloseTo(-0.4, 2);
    // Extrapolated to a size at which no rate was tried.
    expect(jobs[0]!.rate).toBeCloseTo(8e-3 * (30_000 / ladder.predicted.parameters) ** 0.4, 4);
  });

  it('comes to the same jobs in whatever order they are done, and wherever it is taken up again', () => {
    const forwards = play((open) => open[0]!).results;
    const backwards = play((open) => open.at(-1)!).results;
    const sorted = (results: object) => Object.entries(results).sort(([a], [b]) => a.localeCompare(b));
    expect(sorted(backwards)).toEqual(sorted(forwards));
    const half = Object.fromEntries(Object.entries(forwards).slice(0, 11));
    expect(sorted(play((open) => open[0]!, half).results)).toEqual(sorted(forwards));
  });

  it('gives every job a name of its own that a folder can have', () => {
    const ids = Object.keys(play((open) => open[0]!).results);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9.-]+$/);
  });

  it('takes a diverged rate for a bad one', () => {
    const results: Record<string, JobResult> = {};
    const { jobs } = stageOf(ladder, results);
    for (const [i, job] of jobs.entries()) results[job.id] = { loss: i % 3 === 2 ? null : lossOf(job), seconds: 1 };
    expect(() => stageOf(ladder, results)).not.toThrow();
  });
});

describe('the gap of averaging', () => {
  it('is of runs that differ from a rung in nothing else, the predicted ones last', () => {
    const averaging = { replicas: [2, 4], predicted: 8, syncEvery: [10, 40] };
    const ladder = makeLadder({ ...alone, averaging }, 100);
    const { stages, results } = play((open) => open[0]!, {}, ladder);
    expect(stages).toEqual(['tune', 'rungs', 'truth', 'gap', 'gapTruth', 'done']);
    const fitted = gapPoints(ladder, results, 'gap');
    expect(fitted.map(({ replicas, syncEvery }) => [replicas, syncEvery])).toEqual([
      [2, 10],
      [2, 40],
      [4, 10],
      [4, 40],
    ]);
    for (const { replicas, syncEvery, gap } of fitted)
      expect(gap).toBeCloseTo(0.002 * Math.log2(replicas) * syncEvery ** 0.5, 9);
    expect(gapPoints(ladder, results, 'gapTruth').map(({ replicas }) => replicas)).toEqual([8, 8]);
  });
});
