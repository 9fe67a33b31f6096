import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readLaw } from '../planner/laws/law-file.js';
import { lossOf } from '../planner/laws/parametric.js';
import { finish } from './finish.js';
import { type JobResult, type LadderJob, stageOf } from './jobs.js';
import { makeLadder, tokensPerStep } from './ladder.js';
import { parseScaleOptions } from './options.js';
import { scalePage } from './page.js';
import { LadderFolder } from './record.js';
import { reportOf, writeReport } from './report.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-report-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = parseScaleOptions({ corpus: ['book.txt'], steps: 1000 });
const ladder = makeLadder(options, 1000);
const truth = { E: 1.1, A: 40, B: 250, alpha: 0.35, beta: 0.42 };

/** A loss by the law, and a little more at other rates than the guess. */
function lossBy({ kind, size, steps, rate }: LadderJob): number {
  const away = kind === 'tune' ? 0.01 * Math.log(rate / 0.005) ** 2 : 0;
  return lossOf(truth, size.parameters, steps * tokensPerStep(ladder)) + away;
}

it('writes the law that the runs follow, and a page that shows their curves', async () => {
  const made = await LadderFolder.open(join(folder, 'books'), { options, corpus: ['/book.txt'] }, false);
  const results: Record<string, JobResult> = {};
  for (;;) {
    const { name, jobs } = stageOf(ladder, results);
    for (const job of jobs) results[job.id] ??= { loss: lossBy(job), seconds: 1 };
    if (name === 'done') break;
  }
  expect(await reportOf(made, ladder, finish(made, ladder))).toBeUndefined();
  const parameters = ladder.predicted.parameters;
  const tokens = ladder.predictedSteps * tokensPerStep(ladder);
  const loss = lossOf(truth, parameters, tokens);
  const prediction = { parameters, tokens, loss, low: 0.99 * loss, high: 1.01 * loss };
  await made.change({ results, prediction });
  const longest = `rung-${ladder.sizes[0]!.parameters}-${ladder.steps.at(-1)}`;
  await mkdir(made.runFolder(longest), { recursive: true });
  const lines = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({ type: 'progress', step: i, tokens: 1000 * (i + 1), loss: 4 - i / 100 }),
  );
  await writeFile(join(made.runFolder(longest), 'metrics.jsonl'), [...lines, '{"type":"progress","tok'].join('\n'));

  const report = (await reportOf(made, ladder, finish(made, ladder)))!;
  await made.release();
  expect(report.runs).toHaveLength(17);
  for (const run of report.runs) expect(run.expected / run.loss).toBeCloseTo(1, 3);
  const { curve } = report.runs.find(({ curve }) => curve.length > 0)!;
  expect(curve.length).toBeLessThanOrEqual(80);
  expect(curve.at(-1)![0]).toBe(200_000);
  expect(curve.every(([, value], i) => i === 0 || value < curve[i - 1]![1])).toBe(true);
  expect(report.purchases.map(({ factor }) => factor)).toEqual([1, 10, 100]);
  expect(report.purchases[1]!.loss).toBeLessThan(report.purchases[0]!.loss);
  expect(report.result.truths.map(({ inside }) => inside)).toEqual([true, true]);

  const { files, notice } = await writeReport(made.folder, report, scalePage(report));
  expect(notice).toBeUndefined();
  const law = readLaw(JSON.parse(await readFile(files[0]!, 'utf8')), 'law.json');
  expect(law).toMatchObject({ name: 'books', upTo: { parameters: ladder.sizes.at(-1)!.parameters } });
  expect(law.alpha).toBeCloseTo(truth.alpha, 2);
  expect(law.E).toBeCloseTo(truth.E, 2);

  const none = { ...report, law: { ...report.law, alpha: 11 } };
  expect((await writeReport(made.folder, none, '')).notice).toMatch(/No law\.json is written: .*alpha/);
});
