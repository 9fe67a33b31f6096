import type { OptionsOf, OptionTable, ParsedOf } from '../../base/option-table.js';
import { WORKER_OPTIONS } from '../../cluster/join-options.js';

/** What `launch slurm` takes. */
export const SLURM_OPTIONS = {
  workers: { kind: 'count', default: 1, help: 'tasks of the array' },
  cpus: { kind: 'count', default: 4, help: 'cores of each worker' },
  memory: {
    kind: 'text',
    value: 'size',
    help: 'memory of each worker, such as 8G',
    otherwise: 'as Slurm is set up',
  },
  time: {
    kind: 'text',
    value: 'limit',
    help: 'longest time of a task, such as 2:00:00',
    otherwise: 'as Slurm is set up',
  },
  partition: { kind: 'text', help: 'partition', otherwise: 'as Slurm is set up' },
  sbatch: {
    kind: 'texts',
    value: 'option',
    help: 'further option of sbatch, such as --account=physics; may be given again',
  },
  folder: {
    kind: 'text',
    value: 'path',
    default: 'slurm',
    help: 'for script, invitation and logs; the machines must share it',
  },
  follow: { kind: 'flag', help: 'tell how the workers stand until none is left' },
  dryRun: { kind: 'flag', help: 'print the script and submit nothing' },
  ...WORKER_OPTIONS,
} as const satisfies OptionTable;

/** What `launch kubernetes` takes, by headings of its help. */
export const KUBERNETES_GROUPS = {
  Workers: {
    workers: { kind: 'count', default: 1, help: 'pods of the indexed Job' },
    cpus: { kind: 'count', default: 4, help: 'cores of each worker' },
    memory: { kind: 'text', value: 'size', default: '4Gi', help: 'memory of each worker' },
    gpus: { kind: 'whole', default: 0, help: 'GPUs of each worker' },
    ...WORKER_OPTIONS,
  },
  Objects: {
    image: { kind: 'text', required: true, help: 'container image with meanfield on its PATH' },
    name: { kind: 'text', default: 'meanfield', help: 'begins the name of every object' },
    namespace: { kind: 'text', help: 'namespace', otherwise: 'that of kubectl' },
    out: { kind: 'text', value: 'file', help: 'where the manifests go', otherwise: 'standard output' },
  },
  'Coordinator, with --corpus': {
    corpus: { kind: 'texts', value: 'file', help: 'what to learn from; may be given again with --corpus-claim' },
    corpusClaim: {
      kind: 'text',
      help: 'PersistentVolumeClaim that holds the corpus; --corpus are paths on it',
    },
    start: {
      kind: 'text',
      value: 'options',
      empty: true,
      help: 'options of meanfield cluster start, such as "--preset mini --steps 5000"',
    },
    natsImage: { kind: 'text', default: 'nats:2.11-alpine', help: 'image that nats-server is taken from' },
    storage: { kind: 'text', value: 'size', default: '10Gi', help: "volume of the run folder, with the server's" },
    storageClass: { kind: 'text', help: 'class of this volume', otherwise: "the cluster's" },
  },
} as const satisfies Readonly<Record<string, OptionTable>>;

/** What `launch kubernetes` takes. */
export const KUBERNETES_OPTIONS = {
  ...KUBERNETES_GROUPS.Workers,
  ...KUBERNETES_GROUPS.Objects,
  ...KUBERNETES_GROUPS['Coordinator, with --corpus'],
} as const satisfies OptionTable;

export type SlurmFlags = OptionsOf<typeof SLURM_OPTIONS>;
export type KubernetesFlags = OptionsOf<typeof KUBERNETES_OPTIONS>;
export type KubernetesOptions = ParsedOf<typeof KUBERNETES_OPTIONS>;
