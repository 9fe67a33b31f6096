/* Which of the ways to train a run is taken where it may have so much memory, and how that is told. */
import { gigabytes } from '../base/gigabytes.js';
import type { Spelling } from '../base/spelling.js';
import type { MemoryFit } from '../run/events.js';
import type { Way } from './ways.js';

/** Ways to choose from, the faster first, each made when it is looked at. */
export interface Searched {
  /** Bytes. */
  readonly limit: number;
  readonly ways: Iterable<Way>;
  /** That come after these. */
  readonly others?: readonly Way[];
}

/** The fastest way that fits, where one does, and those that were looked at before. */
export function fittingWay({ limit, ways, others = [] }: Searched): {
  readonly way?: Way;
  readonly passed: readonly Way[];
} {
  const passed: Way[] = [];
  for (const list of [ways, others])
    for (const way of list) {
      if (way.total <= limit) return { way, passed };
      passed.push(way);
    }
  return { passed };
}

/** What was asked for, in gigabytes, and whether less than that is free. */
interface Asked {
  readonly memory: number;
  readonly free: boolean;
}

/** What was chosen, why, and what it costs. @param optimizer what trains, and what would without the choice */
export function fitText(
  way: Way,
  passed: readonly Way[],
  { memory, free }: Asked,
  optimizer?: { readonly before: string; readonly after: string },
): string {
  const { disk, stepDisk, factor } = way;
  const others = passed.map((one) => `${nameOf(one)} takes ${totalText(one)}`);
  const why = others.length === 0 ? 'the fastest way there is' : `the fastest that fits (${others.join(', ')})`;
  const costs = [
    ...(factor > 1 ? [`computes about ${Math.round(100 * (factor - 1))} % more`] : []),
    ...(stepDisk > 0 ? [`moves ${way.disk > 0 ? '' : 'up to '}${size(stepDisk)} to and from the disk`] : []),
  ];
  return [
    `Within ${memory} GB of memory${free ? ', of which less is free' : ''}: ${nameOf(way)}, ${why}.`,
    `It takes ${totalText(way)} (${sum(way)})${disk > 0 ? `, and ${size(disk)} of disk in the run's folder` : ''}.`,
    ...(costs.length > 0 ? [`A step ${costs.join(' and ')}.`] : []),
    ...(optimizer && optimizer.before !== optimizer.after
      ? [`${nameOfOptimizer(optimizer.after)} trains all in place of ${nameOfOptimizer(optimizer.before)}.`]
      : []),
  ].join(' ');
}

/** Why nothing fits: each way's sum, and the least that would do. */
export function unfitText(
  passed: readonly Way[],
  { memory, free }: Asked,
  reasons: readonly string[],
  { option }: Spelling,
): string {
  const least = passed.reduce((best, one) => (one.total < best.total ? one : best));
  const enough = Math.ceil(least.total / 1e7) / 100;
  const instead = free
    ? `${size(least.total)} must be free for that`
    : `${option('memory', enough)} would do, ${least.offload === 'none' ? 'with the model in memory' : nameOf(least)}`;
  return [
    `This run does not fit into ${option('memory', memory)}${free ? ', of which less is free' : ''}:`,
    ...passed.map((one) => `- ${nameOf(one)} it takes ${totalText(one)}: ${sum(one)}`),
    ...(reasons.length > 0 ? [`Layer by layer, which takes less, it cannot be trained (${reasons.join('; ')}).`] : []),
    `${instead}. A smaller ${option('batchSize')} or ${option('context')} takes less. ${option('force', true)} trains all the same.`,
  ].join('\n');
}

/** For programs. */
export function fitOf(
  { offload, recompute, momentsPrecision, total, disk, stepDisk, factor }: Way,
  limit: number,
): MemoryFit {
  return {
    ...{ offload, recompute: recompute ?? false, ...(momentsPrecision && { momentsPrecision }) },
    ...{ limitBytes: limit, memoryBytes: total, diskBytes: disk, stepDiskBytes: stepDisk, stepFactor: factor },
  };
}

const NAMES = {
  none: 'as a whole in memory',
  moments: 'layer by layer with the moments on disk',
  all: 'layer by layer with everything on disk',
  'all+states': 'layer by layer with everything and the hidden states on disk',
} as const;

const SHARED = {
  2: 'layer by layer with gradients and moments shared out',
  3: 'layer by layer with parameters, gradients and moments shared out',
} as const;

function nameOf({ offload, stage, recompute, momentsPrecision, disk, whole }: Way): string {
  if (stage !== undefined) return SHARED[stage];
  if (offload === 'all' && disk === 0) return "layer by layer, read from the base's own files";
  const how = [
    // Of one that was not traced nothing is known but what the model takes.
    ...(recompute && whole ? ['cheap activations made twice'] : []),
    ...(momentsPrecision ? [`moments in ${momentsPrecision}`] : []),
  ];
  return how.length > 0 ? `${NAMES[offload]} with ${how.join(' and ')}` : NAMES[offload];
}

const nameOfOptimizer = (name: string): string => (name === 'muon' ? 'Muon' : 'AdamW');

const totalText = ({ total, whole }: Way): string => `${whole ? 'about' : 'more than'} ${size(total)}`;

/** Each part of what it takes. */
function sum({ terms, total }: Way): string {
  const spare = total - terms.reduce((all, [bytes]) => all + bytes, 0);
  return `${terms.map(([bytes, what]) => `${size(bytes)} ${what}`).join(', ')}, and ${size(spare)} to spare`;
}

/** `1.53 GB`: a limit may lie between two tenths. */
const size = (bytes: number): string => gigabytes(bytes, 2);
