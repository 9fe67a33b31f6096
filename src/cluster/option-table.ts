import { FORMATS, MERGES, MOMENTS_FORMATS } from '../averaging/choices.js';
import type { OptionTable } from '../base/option-table.js';
import { optionsBetweenMachines, TRAIN_GROUPS, TRAIN_OPTIONS } from '../run/option-table.js';

/** How contributions travel and become one. */
export const EXCHANGE_OPTIONS = {
  format: { kind: 'choice', choices: FORMATS, default: 'fp32', help: 'how contributions travel' },
  momentsFormat: {
    kind: 'choice',
    choices: MOMENTS_FORMATS,
    reason: 'int8 and int4 round small second moments to 0, and the next step would divide by ε alone',
    default: 'bf16',
    help: 'how averaged moments travel',
  },
  merge: { kind: 'choice', choices: MERGES, default: 'mean', help: 'how contributions become one' },
  /** P: parts of the model that are exchanged in turn while training goes on; 1: the whole model after each round. */
  fragments: {
    kind: 'count',
    most: 64,
    value: 'p',
    default: 1,
    help: 'parts of the model exchanged in turn while training goes on',
  },
  /** τ: inner steps after a contribution before its round's result is mixed in, with fragments. */
  overlap: { kind: 'whole', default: 1, help: 'with fragments: steps until a result is mixed in' },
  /** α: share of its own parameters that a worker keeps when a fragment's result comes, with fragments. */
  mixing: { kind: 'part', default: 0.5, help: 'with fragments: share of its own that a worker keeps' },
} as const satisfies OptionTable;

/** Whom a round waits for, and whom it believes. */
export const ROUND_OPTIONS = {
  /** No round opens with fewer members. */
  minWorkers: { kind: 'count', default: 1, help: 'no round opens with fewer' },
  /** Share of a round's members that must contribute before the grace window starts. */
  quorum: { kind: 'share', default: 0.5, help: 'share that must contribute before the others have but the grace' },
  /** Seconds for which the others are waited for after that. */
  grace: { kind: 'notNegative', value: 'seconds', default: 10, help: 'how long the others are waited for' },
  /** Seconds after which a round is committed if it has its quorum and aborted if not. */
  roundTimeout: { kind: 'positive', value: 'seconds', default: 600, help: 'then a round is committed or aborted' },
  /** Seconds of silence after which a worker is taken for dead. */
  heartbeatTimeout: { kind: 'positive', value: 'seconds', default: 10, help: 'silence after which a worker is dead' },
  /** Whether H follows a worker's speed. */
  adaptiveSteps: { kind: 'flag', default: true, help: 'the same inner steps for all, whatever their speed' },
  /** Whether two workers sum each shard and are compared, instead of a check of one in a hundred. */
  doubleSums: { kind: 'flag', help: 'two workers sum each shard, and are compared' },
  /** A pseudo-gradient whose norm is so many times the round's median is refused; null: no such check. */
  outlierFactor: { kind: 'factor', nullable: true, default: 10, help: 'refuse a norm so many times the median' },
  /** How the workers come by the tokens: through the message system, a shared folder, or a web server. */
  data: { kind: 'source', default: 'send', help: 'how workers come by the tokens' },
} as const satisfies OptionTable;

/** What a run between machines goes by, beside the options of `train`. */
export const CLUSTER_OPTIONS = { ...EXCHANGE_OPTIONS, ...ROUND_OPTIONS } as const;

/** Of `train`, what a run between machines takes, with its own defaults. */
export const SHARED_OPTIONS: OptionTable = optionsBetweenMachines(TRAIN_OPTIONS);

/** What a run between machines takes beside its corpus, by the headings of the help. */
export const CLUSTER_GROUPS: Readonly<Record<string, OptionTable>> = {
  ...Object.fromEntries(
    Object.entries(TRAIN_GROUPS).map(([title, table]) => [
      title,
      { ...optionsBetweenMachines(table), ...(title === 'Averaging' && EXCHANGE_OPTIONS) },
    ]),
  ),
  Machines: ROUND_OPTIONS,
};
