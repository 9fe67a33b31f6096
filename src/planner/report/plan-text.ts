import { table } from '../../base/text-table.js';
import { thousands } from '../../base/thousands.js';
import { intervalOf } from '../run/plan.js';
import type { RunPlan } from '../run/plan-run.js';
import { devices } from '../search/index.js';
import type { MemoryUse, StepPrediction } from '../types.js';
import { arrangementText } from './arrangement.js';
import { averagingText } from './averaging-text.js';
import { estimatesOf, MEMORY_PARTS, TIME_PARTS } from './parts.js';
import type { Planned } from './planned.js';
import { reasonLost } from './reason.js';
import { bits, bytes, dollars, percent, quantity, range, time } from './units.js';

/** Alternatives that a reader looks at. */
const SHOWN = 12;

/** A plan as people read it. */
export function planText(planned: Planned): string {
  const { plan } = planned;
  const parts = [head(planned)];
  if (plan.step === null) {
    parts.push('It does not fit in any arrangement.\n');
  } else {
    const averaged = plan.method === 'averaging' ? plan.averaging : null;
    const { arrangement } = averaged?.inner ?? best(planned);
    const replicas = averaged === null ? '' : `${averaged.replicas} replicas, each `;
    parts.push(`Arrangement: ${replicas}${arrangementText(arrangement)}\n`);
    parts.push(sideBySide(memoryTable(plan.step.memory), timeTable(plan.step)));
  }
  if (plan.run !== null) parts.push(runText(planned, plan.run));
  parts.push(averagingText(planned));
  parts.push(lostText(planned), optionsText(planned));
  const told = [...plan.assumptions, ...constantsText(planned)].map((line) => `  ${line}\n`).join('');
  parts.push(`Assumed:\n${told}`);
  parts.push(plan.warnings.map((warning) => `Warning: ${warning}\n`).join(''));
  return `\n${parts.filter((part) => part !== '').join('\n')}`;
}

function best({ plan: { search, options, run } }: Planned) {
  return options.find((option) => option.run === run)?.candidate ?? search.best!;
}

function head({ plan, largest }: Planned): string {
  const { model, cluster, fixed } = plan;
  const nodes = Math.ceil(cluster.accelerators / cluster.perNode);
  const line = cluster.interNode > 0 ? `${bits(cluster.interNode)} a node` : 'no network between them';
  const network = nodes > 1 ? `, ${line}` : '';
  const found =
    largest === null
      ? ''
      : `The largest compute-optimal model within the limits (law: ${largest.optimum.law}; loss ${largest.optimum.loss.toFixed(3)}${largest.optimum.extrapolated ? ', beyond the runs that the law was fitted on' : ''}).\n`;
  return (
    `${found}${model.name}: ${quantity(model.parameters)} parameters (${thousands(model.parameters)}), ${quantity(plan.tokens)} tokens, ` +
    `${thousands(fixed.globalBatch)} sequences of ${thousands(fixed.sequence)} a step, ${fixed.precision}\n` +
    `${cluster.name}: ${thousands(cluster.accelerators)} × ${cluster.accelerator.name}, ${thousands(nodes)} ` +
    `${nodes > 1 ? 'nodes' : 'node'} of ${cluster.perNode}${network}\n`
  );
}

function memoryTable(memory: MemoryUse): string {
  const rows = [...MEMORY_PARTS, ['total', 'in all'] as const, ['available', 'there is'] as const]
    .filter(([part]) => memory[part] > 0)
    .map(([part, name]) => [name, gigabytes(memory[part])]);
  const host = memory.host > 0 ? [['on the host', gigabytes(memory.host)]] : [];
  return table([['memory of a device', 'GB'], ...rows, ...host], [1]);
}

function timeTable({ time: spent }: StepPrediction): string {
  const rows = [...TIME_PARTS, ['total', 'a step'] as const]
    .filter(([part]) => spent[part] > 0)
    .map(([part, name]) => [name, time(spent[part]), percent(spent[part] / spent.total)]);
  return table([['time of a step', '', 'share'], ...rows], [1, 2]);
}

function gigabytes(value: number): string {
  return (value / 1e9).toFixed(value < 1e10 ? 2 : 1);
}

function sideBySide(left: string, right: string): string {
  const [a, b] = [left, right].map((text) => text.trimEnd().split('\n')) as [string[], string[]];
  const rows = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i] ?? '', b[i] ?? '']);
  const width = Math.max(...a.map((line) => line.length));
  return rows.map(([x, y]) => `${`${x!.padEnd(width)}    ${y}`.trimEnd()}\n`).join('');
}

function runText({ plan }: Planned, run: RunPlan): string {
  const { step, loss, interval } = plan;
  const within = (value: number | null, write: (value: number) => string): string =>
    value === null || interval === null ? '' : ` (${range(value, interval, write)})`;
  const { everySteps, writeSeconds, bytes: size } = run.checkpoint;
  const checkpoint =
    everySteps === null
      ? 'none needed: no failure is expected'
      : `${bytes(size)} in ${time(writeSeconds)}, best every ${time((everySteps * run.trainingSeconds) / run.steps)} (Daly 2006)`;
  return table([
    [
      'time',
      `${time(run.seconds)}${within(run.seconds, time)} for ${thousands(run.steps)} steps on ${thousands(run.accelerators)} accelerators`,
    ],
    ['cost', `${dollars(run.usd)}${within(run.usd, dollars)}`],
    ['step', `${time(step!.time.total)}${within(step!.time.total, time)}`],
    [
      'speed',
      `${quantity(step!.tokensPerSecond)} tokens/s, utilisation ${percent(step!.utilization)} of the datasheet's rate`,
    ],
    ['energy', `${quantity(run.energy.kilowattHours * 1000)}Wh, ${quantity(run.energy.watts)}W`],
    [
      'failures',
      `${run.failures.expected < 10 ? run.failures.expected.toFixed(1) : thousands(Math.round(run.failures.expected))} expected, goodput ${percent(run.goodput)}`,
    ],
    ['checkpoint', checkpoint],
    ['loss', `${loss.expected.toFixed(3)} nats a token expected (${loss.law}; on its own text and tokenizer)`],
  ]);
}

function lostText({ plan }: Planned): string {
  const { search, method } = plan;
  const winner = method === 'data' ? search.best : null;
  const rows = search.strategies
    .slice(0, SHOWN)
    .map((result) => [
      result.strategy,
      result.prediction.fits ? time(result.prediction.time.total) : 'no',
      result.prediction.fits ? range(result.prediction.time.total, intervalOf(plan, result.arrangement), time) : '',
      thousands(devices(result.arrangement)),
      search.best !== null &&
      result.prediction.time.total === search.best.prediction.time.total &&
      result.prediction.fits
        ? `fastest: ${arrangementText(result.arrangement)}`
        : reasonLost(result, winner ?? search.best),
    ]);
  const counted = `${thousands(search.considered)} arrangements considered, ${thousands(search.evaluated)} of them predicted`;
  return `${counted}:\n${table([['best of each kind', 'a step', '', 'devices', ''], ...rows], [1, 3])}`;
}

function optionsText({ plan: { options } }: Planned): string {
  if (options.length < 2) return '';
  const rows = options.map(({ accelerators, run, candidate, interval }) => [
    thousands(accelerators),
    time(run.seconds),
    range(run.seconds, interval, time),
    dollars(run.usd),
    run.usd === null ? '' : range(run.usd, interval, dollars),
    percent(candidate.prediction.utilization),
  ]);
  return `What more accelerators buy:\n${table([['accelerators', 'time', '', 'cost', '', 'utilisation'], ...rows], [0, 1, 3, 5])}`;
}

function constantsText({ plan: { cluster, framework } }: Planned): string[] {
  const efficiency = `Kernels reach ${percent(framework.efficiency)} of the roofline (${framework.name}, ${framework.efficiencySource}).`;
  return [efficiency, ...estimatesOf(cluster.sources)];
}
