import type { OptionsOf, OptionTable } from '../../base/option-table.js';

/** What `data check` takes beside its files. */
export const CHECK_OPTIONS = {
  /** The model that is to learn from the rows; without one, a new model with ChatML. */
  from: { kind: 'text', value: 'model', help: 'model that is to learn from them', otherwise: 'a new one, with ChatML' },
  /** What is to be learned. */
  objective: {
    kind: 'choice',
    choices: ['chat', 'seq2seq'],
    help: 'what is to be learned',
    otherwise: 'what the model can',
  },
  /** Tokens of a row that the model is to see. */
  context: { kind: 'count', help: 'tokens of a row that the model is to see', otherwise: "the model's, at most 1024" },
  /** How many of the first rows are shown. */
  show: { kind: 'whole', default: 3, help: 'how many of the first rows are shown' },
} as const satisfies OptionTable;

export type CheckFlags = OptionsOf<typeof CHECK_OPTIONS>;
