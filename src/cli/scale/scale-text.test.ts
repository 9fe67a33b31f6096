import { describe, expect, it } from 'vitest';
import type { PlannedJob } from '../../scale/events.js';
import { progressText } from './scale-progress.js';
import { ladderTable, summary } from './scale-text.js';

const job = (changes: Partial<PlannedJob>): PlannedJob => ({
  ...{ kind: 'rung', parameters: 35_712, layers: 2, width: 32, steps: 1000, tokens: 1_024_000, replicas: 1 },
  ...{ seconds: 90, done: false, ...changes },
});

describe('ladderTable', () => {
  it('counts jobs that are alike, and those that are done', () => {
    const jobs = [
      job({ kind: 'tune', done: true }),
      job({ kind: 'tune' }),
      job({}),
      job({ steps: 3000, seconds: 700 }),
    ];
    const text = ladderTable({ type: 'ladder', out: 'there', jobs, seconds: 1234, places: 2 });
    expect(text).toMatch(/to tune the rate +35,712 +2 × 32 +1,000 +1\.02M +2 +1\.50 {2}1 done/);
    expect(text).toMatch(/fitted +35,712 +2 × 32 +3,000 +1\.02M +1 +11\.7\n/);
    expect(text).toContain('3 runs left, 2 side by side, a thread each: about 20 min 34 s.');
  });
});

describe('progressText', () => {
  it('shows all the work and the runs that are in work', () => {
    const running = [{ id: 'rung-35712-1000', step: 250, steps: 1000, loss: 2.25 }];
    const event = {
      type: 'progress',
      stage: 'rung',
      done: 3,
      jobs: 24,
      fraction: 0.25,
      etaSeconds: 90,
      running,
    } as const;
    expect(progressText(event)).toBe(
      '█████░░░░░░░░░░░░░░░ 25 %  3/24 runs  1 min 30 s left  rung-35712-1000 25 % 2.250',
    );
  });
});

describe('summary', () => {
  it('tells the law, the prediction and the truth', () => {
    const text = summary({
      ...({
        type: 'result',
        out: 'there',
        points: 15,
        rmse: 0.0042,
        files: [],
        seconds: 2400,
        interrupted: false,
      } as const),
      rates: { sizes: [{ parameters: 35_712, rate: 0.01 }], law: { coefficient: 0.5, exponent: -0.4 } },
      law: { E: 1.1, A: 40, B: 250, alpha: 0.35, beta: 0.42 },
      prediction: { parameters: 1_048_896, tokens: 21e6, loss: 1.5, low: 1.48, high: 1.53 },
      truths: [
        { seed: 7, loss: 1.51, error: 1.5 / 1.51 - 1, inside: true },
        { seed: 8, loss: 1.45, error: 1.5 / 1.45 - 1, inside: false },
      ],
    });
    expect(text).toContain('L = 1.1 + 40/N^0.350 + 250/D^0.420, nats a byte, fitted to 15 runs');
    expect(text).toContain('1.5000 (90 %: 1.4800 to 1.5300)');
    expect(text).toContain('seed 7: 1.5100. The prediction is 0.66 % below; the run is inside the interval');
    expect(text).toContain('seed 8: 1.4500. The prediction is 3.45 % above; the run is OUTSIDE the interval');
  });

  it('tells of an interrupted one how to go on', () => {
    const text = summary({ type: 'result', out: 'my ladder', truths: [], files: [], seconds: 3, interrupted: true });
    expect(text).toContain("meanfield scale --out 'my ladder' --resume");
  });
});
