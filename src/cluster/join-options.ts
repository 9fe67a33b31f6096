import type { OptionsOf, OptionTable } from '../base/option-table.js';
import { TRAIN_OPTIONS } from '../run/option-table.js';
import { OFFLOADS } from '../training/optimizers.js';

/** By which the owner of a machine says what a run may ask of it; sizes in GB. */
const LIMITS = {
  dataFolder: {
    kind: 'texts',
    value: 'folder',
    help: "from which the run's data may be read (default: none); may be given again",
  },
  dataHost: {
    kind: 'texts',
    value: 'host',
    help: "from which it may be fetched, beside the invitation's; may be given again",
  },
  maxData: { kind: 'positive', value: 'GB', default: 20, help: 'tokens that the run may send here' },
  maxMemory: {
    kind: 'positive',
    value: 'GB',
    help: 'memory that the run may take',
    otherwise: 'what is free',
  },
} as const satisfies OptionTable;

/** What every worker takes, joined by hand or launched. */
export const WORKER_OPTIONS = {
  replicas: { kind: 'count', default: 1, help: 'copies of the model that train side by side' },
  threads: TRAIN_OPTIONS.threads,
  device: TRAIN_OPTIONS.device,
  ...LIMITS,
} as const satisfies OptionTable;

/** What `join` takes. */
export const JOIN_OPTIONS = {
  ...WORKER_OPTIONS,
  /** What of the model is on disk, which then is trained layer by layer in little memory. */
  offload: {
    kind: 'choice',
    choices: OFFLOADS,
    default: 'none',
    help: 'train layer by layer, with the moments, all of the model, or its hidden states too, on disk, in --cache',
  },
  name: {
    kind: 'text',
    value: 'text',
    help: 'what this machine is called in the status',
    otherwise: "the host's name",
  },
  cache: {
    kind: 'text',
    value: 'folder',
    help: 'where tokens are kept for the next time, and the model while it is on disk',
    otherwise: "in the user's cache",
  },
  patience: { kind: 'positive', value: 'seconds', default: 60, help: 'how long to knock when no coordinator answers' },
  approvalPatience: {
    kind: 'positive',
    value: 'seconds',
    default: 3600,
    help: "how long to wait for the owner's approval",
  },
} as const satisfies OptionTable;

export type WorkerFlags = OptionsOf<typeof WORKER_OPTIONS>;
export type JoinFlags = OptionsOf<typeof JOIN_OPTIONS>;
