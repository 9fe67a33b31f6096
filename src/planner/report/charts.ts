import { thousands } from '../../base/thousands.js';
import type { BandwidthReport, Plan } from '../run/plan.js';
import type { RunOption } from '../run/runs.js';
import type { MemoryUse, StepTime } from '../types.js';
import { linearAxis, logAxis } from './axis.js';
import { barChart } from './bars.js';
import { lineChart, PLOT } from './lines.js';
import { MEMORY_PARTS, TIME_PARTS } from './parts.js';
import { bits, bytes, dollars, percent, time } from './units.js';

/** Bars of what fills a device, against what it has. */
export function memoryChart(memory: MemoryUse): string {
  const bars = MEMORY_PARTS.filter(([part]) => memory[part] > 0).map(([part, name]) => ({
    name,
    value: memory[part],
    text: bytes(memory[part]),
  }));
  const total = { name: 'in all', value: memory.total, text: bytes(memory.total) };
  const limit = { value: memory.available, name: `${bytes(memory.available)} available` };
  return barChart('Memory of a device by part', [...bars, total], limit);
}

/** Bars of what a step's time goes to. */
export function timeChart(spent: StepTime): string {
  const bars = TIME_PARTS.filter(([part]) => spent[part] > 0).map(([part, name]) => ({
    name,
    value: spent[part],
    text: `${time(spent[part])}, ${percent(spent[part] / spent.total)}`,
  }));
  return barChart('Time of a step by part', bars);
}

/** What a run costs: dollars, or accelerator-hours where there is no price. */
type Costed = Pick<RunOption, 'accelerators' | 'run'>;

/**
 * The Pareto front: cost against days.
 *
 * @param averaged a run that averages, marked beside the others
 */
export function frontChart(options: readonly Costed[], averaged: Costed | null = null): string {
  const all = averaged === null ? options : [...options, averaged];
  const priced = all.every(({ run }) => run.usd !== null);
  const cost = ({ run }: Costed) => run.usd ?? run.acceleratorHours;
  const front = options.filter((each) => !options.some((other) => beats(other, each, cost)));
  const sorted = front.toSorted((a, b) => a.run.days - b.run.days);
  const seriesOf = (name: string, runs: readonly Costed[]) => ({
    name,
    points: runs.map((each) => [each.run.days, cost(each)] as const),
    marks: runs.map(({ accelerators }) => thousands(accelerators)),
  });
  return lineChart({
    title: 'Cost against days',
    x: logAxis(
      all.map(({ run }) => run.days),
      PLOT.left,
      PLOT.right,
    ),
    y: linearAxis(Math.max(...all.map(cost)), PLOT.bottom, PLOT.top),
    xName: 'days',
    yName: priced ? 'US dollars' : 'accelerator-hours',
    xText: (value) => thousands(value),
    yText: (value) => (priced ? dollars(value) : thousands(value)),
    series: [
      seriesOf('exchange every step', sorted),
      ...(averaged === null ? [] : [seriesOf('averaging', [averaged])]),
    ],
  });
}

/** Whether one run is no slower and no dearer than another, and not the same. */
function beats(one: Costed, other: Costed, cost: (option: Costed) => number): boolean {
  if (one === other) return false;
  return one.run.days <= other.run.days && cost(one) <= cost(other);
}

/** Utilisation against bandwidth, a line a method. */
export function bandwidthChart({ curves, averagingWins }: BandwidthReport, { cluster }: Plan): string {
  const points = curves.flatMap((curve) => curve.points);
  const most = Math.max(...points.map(({ utilization }) => utilization));
  return lineChart({
    title: 'Utilisation against bandwidth of a node, by method',
    x: logAxis(
      points.map(({ bandwidth }) => 8 * bandwidth),
      PLOT.left,
      PLOT.right,
    ),
    y: linearAxis(most, PLOT.bottom, PLOT.top),
    xName: 'bandwidth of a node',
    yName: 'utilisation of all accelerators',
    xText: (value) => bits(value / 8),
    yText: (value) => `${Math.round(100 * value)} %`,
    series: curves.map(({ method, points: each }) => ({
      name: method,
      points: each.map(({ bandwidth, utilization }) => [8 * bandwidth, utilization]),
    })),
    here: { x: 8 * cluster.interNode, name: `${cluster.name}: ${bits(cluster.interNode)}` },
    ...(averagingWins === null ? {} : { shade: { from: 8 * averagingWins.from, to: 8 * averagingWins.to } }),
  });
}
