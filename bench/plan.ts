import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { writeFileAtomic } from '../src/base/files/atomic.js';
import { type JsonValue, jsonText } from '../src/base/json.js';
import { fittedTime, shippedConstants } from '../src/planner/catalogue/constants.js';
import { readCsv } from '../src/planner/catalogue/csv.js';
import { findFramework } from '../src/planner/catalogue/frameworks.js';
import { findCluster, findModel } from '../src/planner/catalogue/index.js';
import { coverage, pointsJson } from '../src/planner/run/interval.js';
import { predictStep } from '../src/planner/step/step.js';
import type { Arrangement } from '../src/planner/types.js';
import {
  errorPoints,
  fitConstants,
  fitEfficiencies,
  isJudged,
  type LeftOut,
  leaveMemoryOut,
  leaveOneSourceOut,
  validateRows,
} from '../src/planner/validate/index.js';
import { parseArgs, root, table } from './lib.js';

/**
 * `npm run bench -- plan ROWS.csv`: predictions beside a file of measurements, by source; the constants fitted to it,
 * beside those shipped; each source predicted with constants fitted without it; predictions a second.
 *
 * `--fit all` fits the constants that all share too (minutes); `--write yes` stores what was fitted.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { options, rest } = parseArgs(args);
  const path = rest[0] ?? '../shared/data/planning/published_calibration.csv';
  const file = isAbsolute(path) ? path : join(root, path);
  if (!existsSync(file))
    throw new Error(`there is no ${path}: name a table of measurements, npm run bench -- plan ROWS.csv`);
  const text = readFileSync(file, 'utf8');
  const { rows } = readCsv(text);
  const { rows: results, result } = validateRows(text);
  const refit = options.fit === 'all' ? fitAll : fitEfficiencies;
  const fitted = refit(rows, shippedConstants);
  const percent = (value: number | null): string => (value === null ? '' : value.toFixed(2));

  console.log(
    `\nThroughput, grades A and A-, with the shipped constants: ${percent(result.mean_abs_error)} % mean error`,
  );
  table(
    ['source', 'rows', 'mean error %', 'worst row %'],
    Object.entries(result.by_source).map(([name, s]) => [name, s.rows, percent(s.mean_abs_error), percent(s.worst)]),
  );
  const { memory, grade_b: b, grade_c: c } = result;
  console.log(
    `Memory: ${percent(memory.mean_abs_error)} % over ${memory.rows} rows; of ${memory.out_of_memory} runs out of memory ` +
      `${memory.out_of_memory_predicted} predicted within one step of micro-batch. ` +
      `Grade B: ${percent(b.mean_abs_error)} % over ${b.rows} rows, C: ${percent(c.mean_abs_error)} % over ${c.rows}.`,
  );
  const skipped = results.filter((row) => row.skipped !== undefined);
  table(
    ['skipped', 'why'],
    skipped.map((row) => [row.id, row.skipped!]),
  );

  console.log('Share of the roofline by framework and accelerator, fitted to this file and shipped:');
  const pairs = Object.keys({ ...fitted.efficiency.fitted, ...shippedConstants.efficiency.fitted }).sort();
  const shown = (value: number | undefined): string => value?.toFixed(3) ?? '';
  table(
    ['pair', 'fitted', 'shipped'],
    [
      ...pairs.map((pair) => [
        pair,
        shown(fitted.efficiency.fitted[pair]),
        shown(shippedConstants.efficiency.fitted[pair]),
      ]),
      ['any other', shown(fitted.efficiency.default), shown(shippedConstants.efficiency.default)],
    ],
  );

  console.log(`Shared by all: ${JSON.stringify({ ...fittedTime(fitted), ...shippedConstants.memory })}`);
  const summary = (left: readonly LeftOut[]): string => {
    const total = left.reduce((sum, { rows: n }) => sum + n, 0);
    const mean = left.reduce((sum, { rows: n, error }) => sum + n * error, 0) / Math.max(1, total);
    const worst = left.filter(({ rows: n }) => n >= 3).sort((x, y) => y.error - x.error)[0];
    return `${percent(mean)} % mean error over ${total} rows, worst source of 3 rows or more ${worst?.source.slice(0, 30)}: ${percent(worst?.error ?? null)} %`;
  };
  const seen = leaveOneSourceOut(rows, shippedConstants, { refit });
  const unseen = leaveOneSourceOut(rows, shippedConstants, { refit, unseen: true });
  console.log(
    `Each source left out, ${options.fit === 'all' ? 'all constants' : 'efficiencies'} fitted to the others: ${summary(seen)}.`,
  );
  console.log(`Also without any efficiency of its frameworks and accelerators: ${summary(unseen)}.`);
  table(
    ['source left out', 'rows', 'mean error %', 'without its stack and card %', 'worst row %'],
    unseen.map((left, i) => [
      left.source,
      left.rows,
      percent(seen[i]!.error),
      percent(left.error),
      percent(left.worst),
    ]),
  );
  const points = errorPoints(unseen, rows, shippedConstants);
  console.log(
    `Intervals: ${percent(100 * coverage(points))} % of the rows left out lie inside the 80 % interval of the other sources.`,
  );
  const memoryLeft = leaveMemoryOut(rows, shippedConstants);
  const peaks = memoryLeft.reduce((sum, { rows: n }) => sum + n, 0);
  console.log(
    `Memory, each source left out of its two constants: ${percent(memoryLeft.reduce((sum, { rows: n, error }) => sum + n * error, 0) / peaks)} % over ${peaks} rows`,
  );
  table(
    ['source left out', 'rows', 'mean error of peak memory %'],
    memoryLeft.map(({ source, rows: n, error }) => [source, n, percent(error)]),
  );
  const above = results.filter(({ grade, utilization }) => isJudged(grade) && (utilization ?? 0) > 1);
  console.log(`Predicted above the datasheet: ${above.length === 0 ? 'none' : above.map(({ id }) => id).join(', ')}`);
  console.log(`${Math.round(predictionsPerSecond()).toLocaleString('en')} predictions a second of processor time`);
  if (options.write !== undefined) {
    const target = `${root}src/planner/catalogue/constants.json`;
    const shipped = JSON.parse(readFileSync(target, 'utf8')) as Record<string, JsonValue>;
    await writeFileAtomic(
      target,
      jsonText({ ...shipped, time: { ...fittedTime(fitted) }, efficiency: { ...fitted.efficiency } }),
    );
    const about =
      'npm run bench -- plan ROWS.csv --write yes: of each judged row its source, measured over predicted speed with its source and every efficiency of its framework and accelerator left out, year of the accelerator, devices, parameters, and flags (1 narrow format, 2 pipeline, 4 tensor parallelism, 8 ZeRO-3)';
    await writeFileAtomic(`${root}src/planner/run/errors.json`, errorsText(about, pointsJson(points)));
  }
}

/** A row a line: a diff shows what moved. */
const errorsText = (about: string, { sources, rows }: ReturnType<typeof pointsJson>): string =>
  `{\n"about": ${JSON.stringify(about)},\n"sources": ${JSON.stringify(sources)},\n"rows": [\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]}\n`;

/** Two passes over all shared constants; a third moves nothing by more than a step. */
const fitAll: typeof fitEfficiencies = (rows, constants) => fitConstants(rows, constants, 2);

/** How fast a search could go through arrangements. */
function predictionsPerSecond(): number {
  const workload = findModel('mt-nlg-530b');
  const cluster = findCluster('2240xa100');
  const framework = findFramework('Megatron-LM', cluster.accelerator.name);
  const base: Arrangement = {
    data: 8,
    tensor: 8,
    sequenceParallel: true,
    pipeline: 35,
    interleave: 1,
    context: 1,
    expert: 1,
    zero: 1,
    offload: 'none',
    offloadTo: 'host',
    recompute: 'full',
    precision: 'bf16',
    microBatch: 1,
    globalBatch: 1920,
    sequence: 2048,
    flashAttention: true,
  };
  const count = 300_000;
  let sum = 0;
  // Processor time: what other programs take of the core does not count.
  const start = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    sum += predictStep(workload, cluster, { ...base, microBatch: 1 + (i & 7) }, framework).time.total;
  }
  const { user, system } = process.cpuUsage(start);
  const seconds = (user + system) / 1e6;
  return sum > 0 ? count / seconds : 0;
}
