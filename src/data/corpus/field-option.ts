import type { OptionDefinition } from '../../base/option-table.js';

/** Where the text is, for every command that reads some. */
export const FIELD = {
  kind: 'text',
  help: 'key of JSONL rows, or column of Parquet files, that holds the text',
  otherwise: 'text',
} as const satisfies OptionDefinition;
