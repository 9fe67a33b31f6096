import type { OptionTable } from '../base/option-table.js';

/** Where a ladder is kept. */
const FOLDER = {
  /** The ladder's folder. Default `runs/scale`. */
  out: { kind: 'text', value: 'folder', default: 'runs/scale', help: 'where the ladder is kept' },
  /** Go on with the ladder in its folder. */
  resume: { kind: 'flag', help: 'go on with the ladder in its folder' },
  /** Take over a lock of another host. */
  force: { kind: 'flag', help: 'take over the lock of another host' },
} as const satisfies OptionTable;

/** How long it takes. */
const LENGTH = {
  /** Minutes for all of it, by which the lengths of the runs are chosen. Default 45. */
  budgetMinutes: {
    kind: 'positive',
    value: 'm',
    default: 45,
    help: 'minutes for all of it, by which the lengths of the runs are chosen',
  },
  /** Steps of the shortest runs, in place of a budget. */
  steps: { kind: 'count', least: 40, most: 1e9, help: 'steps of the shortest runs, in place of a budget' },
  /** Runs side by side, of a thread each. Default: the cores. */
  jobs: { kind: 'count', most: 256, help: 'runs side by side, of a thread each', otherwise: 'the cores' },
} as const satisfies OptionTable;

/** What is trained. */
const MODELS = {
  /** Parameters of the smallest model. Default 30,000. */
  least: { kind: 'count', most: 1e9, default: 30_000, help: 'parameters of the smallest model' },
  /** Parameters of the largest that the law is fitted to. Default 500,000. */
  most: { kind: 'count', most: 1e9, default: 500_000, help: 'parameters of the largest that is fitted' },
  /** Parameters of the model whose loss is predicted, then trained. Default 1,000,000. */
  predict: { kind: 'count', most: 1e9, default: 1_000_000, help: 'parameters of the one predicted, then trained' },
  /** Runs of the predicted model, each of its own seed. Default 2. */
  seeds: { kind: 'count', most: 16, default: 2, help: 'runs of the predicted model, each of its own seed' },
  /** Of everything random. Default 1337. */
  seed: { kind: 'whole', default: 1337, help: 'seed of everything random' },
  /** Bytes of a sequence. Default 64. */
  context: { kind: 'count', most: 65_536, default: 64, help: 'bytes of a sequence' },
  /** Sequences of a step. Default 16. */
  batchSize: { kind: 'count', most: 65_536, default: 16, help: 'sequences of a step' },
} as const satisfies OptionTable;

/** What averaging costs. */
const AVERAGING = {
  /** Numbers of replicas, such as `2,4`, that the gap of averaging is fitted to. Default: it is not measured. */
  replicas: { kind: 'text', value: 'n,n', help: 'replicas that the gap of averaging is fitted to, such as 2,4' },
  /** Replicas whose gap is predicted, then trained. Default 8. */
  predictReplicas: { kind: 'count', most: 64, default: 8, help: 'replicas whose gap is predicted, then trained' },
  /** H: inner steps between averages, such as `10,40`. */
  syncEvery: { kind: 'text', value: 'h,h', default: '10,40', help: 'inner steps between averages' },
} as const satisfies OptionTable;

/** What `scale` takes beside its corpus, by the headings of its help. */
export const SCALE_GROUPS = {
  Ladder: FOLDER,
  Length: LENGTH,
  Models: MODELS,
  'Periodic averaging': AVERAGING,
} as const;

/** What `scale` takes beside its corpus. */
export const SCALE_OPTIONS = { ...FOLDER, ...LENGTH, ...MODELS, ...AVERAGING } as const satisfies OptionTable;

/** Options that may differ when a ladder is taken up again: they change nothing of what is computed. */
export const FREE_OPTIONS = [
  'out',
  'resume',
  'force',
  'jobs',
] as const satisfies readonly (keyof typeof SCALE_OPTIONS)[];
