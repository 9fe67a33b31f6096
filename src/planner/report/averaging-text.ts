import { table } from '../../base/text-table.js';
import { thousands } from '../../base/thousands.js';
import { arrangementText } from './arrangement.js';
import type { Planned } from './planned.js';
import { bits, bytes, percent, time } from './units.js';

/** What periodic averaging would take; nothing where it is not possible or was not asked for. */
export function averagingText({ plan, averagingWins }: Planned): string {
  const { averaging, cluster, search } = plan;
  if (averaging === null) return '';
  const { replicas, island, inner, method, round, quality, tokenFactor, uneven } = averaging;
  const fragments =
    method.fragments > 1 ? `, in ${method.fragments} parts, each ${method.overlapSteps} steps under way` : '';
  const rows = [
    [
      'replicas',
      `${thousands(replicas)}, each on ${thousands(island.accelerators)} of ${thousands(cluster.accelerators)} accelerators: ${arrangementText(inner.arrangement)}`,
    ],
    [
      'round',
      `${method.innerSteps} inner steps in ${time(round.compute)}, then ${time(round.exposed)} waiting ` +
        `(busy ${percent(round.utilization)})`,
    ],
    ['traffic', `${bytes(round.bytes)} sent by a replica a round, in ${method.outerPrecision}${fragments}`],
    ['step', `${time(averaging.stepSeconds)} (every step: ${everyStep(plan)})`],
    [
      'loss',
      `+${percent(quality.gap)} at equal tokens${quality.extrapolated ? ', extrapolated' : ''}; ` +
        (Number.isFinite(tokenFactor)
          ? `${tokenFactor.toFixed(2)}× the tokens make up for it`
          : 'no number of tokens makes up for it'),
    ],
    ['host', `${bytes(averaging.outerBytes)} a replica for outer parameters and momentum`],
  ];
  if (uneven !== null) {
    const [least, most] = [Math.min(...uneven.innerSteps), Math.max(...uneven.innerSteps)];
    rows.push(['speeds', `${least} to ${most} inner steps after speed, busy ${percent(uneven.utilization)}`]);
  }
  const comparable = cluster.accelerators > cluster.perNode && cluster.interNode > 0 && search.best !== null;
  const wins = comparable ? winsText(averagingWins, cluster.interNode) : '';
  const chosen = plan.method === 'averaging' ? 'chosen' : search.best === null ? 'possible' : 'not chosen';
  const sources = quality.sources.map((source) => `  ${source}\n`).join('');
  return `Periodic averaging (${chosen}):\n${table(rows)}${wins}${sources === '' ? '' : `Loss after:\n${sources}`}`;
}

function everyStep({ search }: Planned['plan']): string {
  return search.best === null ? 'does not fit' : time(search.best.prediction.time.total);
}

function winsText(range: { readonly from: number; readonly to: number } | null, here: number): string {
  if (range === null) return 'At no bandwidth does averaging come to the same loss a tenth sooner.\n';
  const from = range.from === 0 ? 'any slow line' : bits(range.from);
  const to = range.to === Number.POSITIVE_INFINITY ? 'on' : `to ${bits(range.to)}`;
  return `Averaging comes to the same loss a tenth sooner, or more, from ${from} ${to} a node; here a node has ${bits(here)}.\n`;
}
