import {
  accelerators,
  clusters,
  findAccelerator,
  findCluster,
  findModel,
  models,
} from '../../planner/catalogue/index.js';
import { snakeCase } from '../../planner/report/plan-json.js';
import { bits, bytes, dollars } from '../../planner/report/units.js';
import type { Context } from '../terminal/context.js';
import { grouped, table } from '../terminal/format.js';
import type { ListName } from './plan-options.js';

/** Lists a part of the catalogue. */
export async function list(name: ListName, { output }: Context): Promise<number> {
  const { rows, json } = LISTS[name]();
  output.event({ type: 'result', [name]: json.map(snakeCase) });
  output.text(`\n${table(rows, RIGHT[name])}`);
  return 0;
}

const RIGHT: Readonly<Record<ListName, readonly number[]>> = {
  models: [1, 2, 3, 4],
  clusters: [1, 3, 4, 5],
  accelerators: [2, 3, 4, 5, 6],
};

const LISTS: Readonly<Record<ListName, () => { readonly rows: string[][]; readonly json: readonly object[] }>> = {
  models: () => {
    const all = models.map(findModel);
    const rows = all.map(({ name, parameters, layers, hidden, context, family }) => [
      name,
      grouped(parameters),
      String(layers),
      grouped(hidden),
      grouped(context),
      family,
    ]);
    return { rows: [['model', 'parameters', 'layers', 'width', 'context', 'family'], ...rows], json: all };
  },
  clusters: () => {
    const all = clusters.map(findCluster);
    const rows = all.map((cluster) => [
      cluster.name,
      grouped(cluster.accelerators),
      cluster.accelerator.name,
      String(cluster.perNode),
      bits(cluster.interNode),
      dollars(cluster.price),
    ]);
    const head = ['cluster', 'accelerators', '', 'a node', 'network of a node', 'an accelerator-hour'];
    return { rows: [head, ...rows], json: all };
  },
  accelerators: () => {
    const all = accelerators.map((name) => findAccelerator(name));
    const rows = all.map(({ name, kind, year, memory, memoryBandwidth, rates, power }) => {
      const [format, rate] = Object.entries(rates).find(([each]) => each === 'bf16' || each === 'fp16') ??
        Object.entries(rates)[0] ?? ['', 0];
      return [
        name,
        kind,
        String(year),
        bytes(memory),
        `${bytes(memoryBandwidth)}/s`,
        `${Number((rate / 1e12).toPrecision(4))} ${format}`,
        String(power),
      ];
    });
    return { rows: [['accelerator', 'kind', 'year', 'memory', 'bandwidth', 'TFLOP/s', 'W'], ...rows], json: all };
  },
};
