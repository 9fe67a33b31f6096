import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';
import { schemaOf } from '../base/option-schema.js';
import type { OptionsOf, OptionTable, ParsedOf } from '../base/option-table.js';
import { spelledError } from '../base/spelling.js';
import { TRAIN_OPTIONS } from '../run/option-table.js';
import type { TrainOptions } from '../run/options.js';
import { CLUSTER_OPTIONS, SHARED_OPTIONS } from './option-table.js';

const schema = schemaOf(CLUSTER_OPTIONS);

/** What a run between machines goes by, beside the options of `train`. */
export interface ClusterOptions extends OptionsOf<typeof CLUSTER_OPTIONS> {}
/** With defaults. */
export type ParsedClusterOptions = ParsedOf<typeof CLUSTER_OPTIONS>;

/**
 * Checks options and fills in defaults.
 *
 * @throws UsageError naming every option that is wrong
 */
export function parseClusterOptions(options: ClusterOptions = {}): ParsedClusterOptions {
  const result = schema.safeParse(options, { reportInput: true });
  if (result.success) return result.data;
  const { error } = result;
  throw spelledError(
    UsageError,
    (spelling) => `Cannot start a cluster with these options: ${optionIssues(error, spelling)}.`,
  );
}

/**
 * Options of training with the defaults that are a run's between machines alone; a resumed run has its own.
 *
 * @throws UsageError for a teacher, which no machine that joins is sent
 */
export function trainOptionsBetweenMachines(train: TrainOptions): TrainOptions {
  if (train.teacher !== undefined)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('teacher', train.teacher)}: machines that join are not sent a teacher. Train on one machine, with ` +
        `${option('replicas')} for all of it, or leave it out.`,
    );
  if (train.resume) return train;
  const ofAll: OptionTable = TRAIN_OPTIONS;
  const own = Object.entries(SHARED_OPTIONS).filter(
    ([name, option]) => option.default !== ofAll[name]?.default && train[name as keyof TrainOptions] === undefined,
  );
  return { ...train, ...Object.fromEntries(own.map(([name, option]) => [name, option.default])) };
}
