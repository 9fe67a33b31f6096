import type { OptionTable } from '../../base/option-table.js';

/** What `linpack` takes. */
export const LINPACK_FLAGS = {
  n: { kind: 'count', help: 'equations', otherwise: '8,000, or what fits in a quarter of the free memory' },
  nb: { kind: 'count', default: 256, help: 'columns of a block' },
  threads: { kind: 'count', help: 'threads', otherwise: 'the cores' },
  machines: {
    kind: 'text',
    value: 'PxQ',
    help: 'solve HPL on a grid of machines that join, by the invitation that is printed',
  },
  join: { kind: 'text', value: 'invitation', help: 'be one of them; - reads it from standard input' },
  host: { kind: 'texts', help: 'with --machines: by which others reach this machine; may be given again' },
  port: { kind: 'port', help: 'with --machines: of the server that is started, 0: a free one' },
  patience: {
    kind: 'positive',
    default: 60,
    help: 'with --machines: seconds without a sign of life after which one counts as lost',
  },
  benchmark: { kind: 'choice', choices: ['hpl', 'mxp', 'both'], default: 'both', help: 'which' },
} as const satisfies OptionTable;
