import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';
import { shapeOf } from '../base/option-schema.js';
import type { OptionsOf, ParsedOf } from '../base/option-table.js';
import { spelledError } from '../base/spelling.js';
import type { AveragingSettings, LadderSettings } from './ladder.js';
import { FREE_OPTIONS, SCALE_OPTIONS } from './option-table.js';

/** Everything that `scale` takes. */
export interface ScaleOptions extends OptionsOf<typeof SCALE_OPTIONS> {
  /** Files and folders of text. A new ladder needs them; one that is taken up again has its own. */
  readonly corpus?: readonly string[] | undefined;
}

/** Options with their defaults. */
export interface ParsedScaleOptions extends ParsedOf<typeof SCALE_OPTIONS> {
  readonly corpus: readonly string[];
}

export const scaleSchema = z.strictObject({ corpus: z.array(z.string().min(1)), ...shapeOf(SCALE_OPTIONS) });

/** @throws UsageError naming every option that is wrong, and what is allowed */
export function parseScaleOptions({ corpus = [], ...options }: ScaleOptions): ParsedScaleOptions {
  const result = scaleSchema.safeParse({ corpus, ...options }, { reportInput: true });
  if (!result.success) {
    const { error } = result;
    throw spelledError(
      UsageError,
      (spelling) =>
        `Cannot make a ladder with these options: ${optionIssues(error, spelling)}.${spelling.help('scale')}`,
    );
  }
  const parsed = result.data as unknown as ParsedScaleOptions;
  if (parsed.corpus.length === 0 && !parsed.resume)
    throw new UsageError('Name a text file or a folder to learn from. See meanfield scale --help.');
  return parsed;
}

/**
 * The options of a ladder that is taken up again: its own, but for those that change nothing of what is computed.
 *
 * @throws UsageError for an option of another value than the ladder was made with
 */
export function resumedScaleOptions(given: ScaleOptions, own: ParsedScaleOptions): ParsedScaleOptions {
  const parsed = parseScaleOptions({ ...given, resume: true });
  const free: readonly string[] = FREE_OPTIONS;
  for (const [name, value] of Object.entries(given)) {
    const had = own[name as keyof ParsedScaleOptions];
    if (free.includes(name) || value === undefined) continue;
    if (name === 'corpus' && parsed.corpus.length === 0) continue;
    if (JSON.stringify(value) !== JSON.stringify(had))
      throw spelledError(UsageError, ({ option }) => {
        const what = name === 'corpus' ? 'the corpus' : option(name);
        const was = had === undefined ? 'left out' : JSON.stringify(had);
        return (
          `The ladder in ${parsed.out} was made with ${what} ${was}, not ${JSON.stringify(value)}. Leave it out to go on, ` +
          `or make another ladder with another ${option('out')}.`
        );
      });
  }
  return { ...own, ...Object.fromEntries(free.map((name) => [name, parsed[name as keyof ParsedScaleOptions]])) };
}

/** What a ladder is made by. @throws UsageError for lists that are none, or a batch that replicas cannot share */
export function settingsOf(options: ParsedScaleOptions): LadderSettings {
  const { least, most, predict, context, batchSize, seed, seeds } = options;
  return { least, most, predict, context, batchSize, seed, seeds, averaging: averagingOf(options) };
}

function averagingOf(options: ParsedScaleOptions): AveragingSettings | undefined {
  if (options.replicas === undefined) return undefined;
  const replicas = countsOf('replicas', options.replicas, 2, 64);
  const syncEvery = countsOf('syncEvery', options.syncEvery, 2, 1e6);
  const { predictReplicas: predicted, batchSize } = options;
  if (replicas.length < 2 || replicas.some((count) => count >= predicted))
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('replicas')} must name two different numbers or more, each below the ${predicted} of ` +
        `${option('predictReplicas')}; got ${options.replicas}.`,
    );
  const uneven = [...replicas, predicted].find((count) => batchSize % count !== 0);
  if (uneven !== undefined)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${uneven} replicas cannot share the ${batchSize} sequences of ${option('batchSize')} evenly. Take a multiple of ` +
        'every number of replicas.',
    );
  return { replicas, predicted, syncEvery };
}

/** Whole numbers between commas, ascending, each once. */
function countsOf(name: 'replicas' | 'syncEvery', text: string, least: number, most: number): number[] {
  const numbers = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.length > 8 || numbers.some((value) => !(value >= least && value <= most)))
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option(name)} must be whole numbers from ${least} to ${most} with commas between them, at most 8, such as ` +
        `${least},${2 * least}; got ${text.slice(0, 60)}.`,
    );
  return [...new Set(numbers)].sort((a, b) => a - b);
}
