import type { OptionTable } from '../../base/option-table.js';

/** What `linpack` takes. */
export const LINPACK_FLAGS = {
  n: { kind: 'count', help: 'equations', otherwise: '8,000, or what fits in a quarter of the free memory' },
  nb: { kind: 'count', default: 256, help: 'columns of a block' },
  threads: { kind: 'count', help: 'threads', otherwise: 'the cores' },
  benchmark: { kind: 'choice', choices: ['hpl', 'mxp', 'both'], default: 'both', help: 'which' },
} as const satisfies OptionTable;
