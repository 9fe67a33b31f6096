import type { OptionsOf, OptionTable } from '../../base/option-table.js';
import type { SCALE_OPTIONS } from '../../scale/option-table.js';

/** Of the command alone. */
export const DRY_FLAGS = {
  dryRun: { kind: 'flag', help: 'measure this machine and show the jobs with their expected minutes, nothing else' },
} as const satisfies OptionTable;

/** What commander makes of the options. */
export type ScaleFlags = OptionsOf<typeof SCALE_OPTIONS> & OptionsOf<typeof DRY_FLAGS>;
