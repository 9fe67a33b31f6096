import { UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import { readCluster } from '../../planner/catalogue/index.js';
import { estimateRmax, findList, rankOf, type Top500Rank, top500Lists } from '../../planner/catalogue/top500/index.js';
import { snakeCase } from '../../planner/report/plan-json.js';
import type { Context } from '../terminal/context.js';
import { grouped, table } from '../terminal/format.js';
import type { TOP500_FLAGS } from './plan-options.js';

/** Tells where an Rmax, or a cluster's estimated one, stands on the lists. */
export async function showRank(
  { rmax, cluster, list }: OptionsOf<typeof TOP500_FLAGS>,
  { output }: Context,
): Promise<number> {
  if (rmax !== undefined && cluster !== undefined) {
    throw new UsageError('Both --rmax and --cluster were given: give the Rmax, or the cluster to estimate it for.');
  }
  const lists = list === undefined ? top500Lists : [findList(list).list];
  const machine = cluster === undefined ? null : (await readCluster(cluster)).cluster;
  const estimate = machine === null ? null : estimateRmax(machine);
  if (estimate?.rmaxTflops === null) {
    output.event({ type: 'result', cluster: machine!.name, rmax_tflops: null, reason: estimate.reason, ranks: [] });
    output.text(`\nNo Rmax can be estimated for ${machine!.name}: ${estimate.reason}.\n`);
    return 0;
  }
  const value = rmax ?? estimate?.rmaxTflops;
  const ranks = value === undefined ? [] : lists.map((each) => rankOf(each, value));
  output.event({
    type: 'result',
    ...(value === undefined ? { lists: lists.map((each) => snakeCase(findList(each))) } : { rmax_tflops: value }),
    ...(estimate === null ? {} : { cluster: machine!.name, estimate: snakeCase(estimate) }),
    ranks: ranks.map((rank) => snakeCase(rank)),
  });
  const parts = [];
  if (estimate !== null) {
    const [low, high] = [estimate.lowTflops, estimate.highTflops].map(teraflops);
    parts.push(
      `${machine!.name}: Rmax about ${teraflops(estimate.rmaxTflops)} TFLOP/s (${low} to ${high}), Rpeak ` +
        `${teraflops(estimate.rpeakTflops)}. ${estimate.where}\n`,
    );
  }
  parts.push(value === undefined ? entriesText(lists) : ranksText(ranks));
  output.text(`\n${parts.join('\n')}\nThe machine at hand is measured by: meanfield linpack\n`);
  return 0;
}

function ranksText(ranks: readonly Top500Rank[]): string {
  const rows = ranks.map(({ list, text, depth, method }) => [list, text, String(depth), method]);
  const warnings = ranks.flatMap(({ warnings: own }) => own);
  const told = [...new Set(warnings)].map((warning) => `Warning: ${warning}\n`).join('');
  return `${table([['list', 'rank', 'entries shipped to', ''], ...rows], [2])}${told}`;
}

function entriesText(lists: readonly string[]): string {
  const rows = lists.flatMap((list) =>
    findList(list).entries.map(({ rank, system, rmaxTflops, status }) => [
      list,
      String(rank),
      system,
      teraflops(rmaxTflops),
      status,
    ]),
  );
  return table([['list', 'rank', 'system', 'Rmax TFLOP/s', ''], ...rows], [1, 3]);
}

function teraflops(value: number): string {
  return grouped(Math.round(value));
}
