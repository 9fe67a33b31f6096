import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';
import { shapeOf } from '../base/option-schema.js';
import type { OptionsOf, ParsedOf } from '../base/option-table.js';
import { spelledError } from '../base/spelling.js';
import { type ExportDtype, type FormatName, formatOf } from './formats.js';
import { EXPORT_OPTIONS, type ExportOption } from './option-table.js';

/**
 * How a model is exported, and what may go on beside.
 *
 * @category Using a model
 */
export interface ExportOptions extends Readonly<Omit<OptionsOf<typeof EXPORT_OPTIONS>, 'to'>> {
  /** The form. */
  readonly to: FormatName;
  /** Called with what the user should hear of the model. */
  readonly notice?: (message: string) => void;
  /** Called now and then. */
  readonly progress?: (progress: ExportProgress) => void;
  /** Stops it with an AbortError; nothing is left then. */
  readonly signal?: AbortSignal;
}

/**
 * How far an export is: the model is read, or so many bytes of weights are written, of those in all.
 *
 * @category Using a model
 */
export type ExportProgress =
  | { readonly stage: 'reading' }
  | { readonly stage: 'writing'; readonly bytes: number; readonly ofBytes: number };

/**
 * What was exported.
 *
 * @category Using a model
 */
export interface ExportResult {
  /** The folder or file. */
  readonly path: string;
  readonly to: FormatName;
  readonly dtype: ExportDtype;
  /** Bytes of all files. */
  readonly bytes: number;
  /** Files by their names below `path`, in order; of a file its own. */
  readonly files: readonly string[];
}

/** Options with their defaults. */
export type ResolvedExport = ParsedOf<typeof EXPORT_OPTIONS> & {
  readonly to: FormatName;
  readonly dtype: ExportDtype;
} & Pick<ExportOptions, 'notice' | 'progress' | 'signal'>;

const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional();
const listener = z.custom((value) => typeof value === 'function', 'expected a function').optional();
const schema = z.strictObject({ ...shapeOf(EXPORT_OPTIONS), signal, notice: listener, progress: listener });

/** @throws UsageError naming what is wrong, and what is allowed */
export function checkExport(model: unknown, options: ExportOptions): ResolvedExport {
  if (typeof model !== 'string' || model === '')
    throw new UsageError(
      `Cannot export: expected a model, the folder of a run or a model's, got ${JSON.stringify(model)}.`,
    );
  const wrong = (why: (option: (name: string, value?: string) => string) => string) =>
    spelledError(UsageError, ({ option, help }) => `Cannot export ${model}: ${why(option)}.${help('export')}`);
  const result = schema.safeParse(options, { reportInput: true });
  if (!result.success)
    throw spelledError(
      UsageError,
      (spelling) => `Cannot export ${model}: ${optionIssues(result.error, spelling)}.${spelling.help('export')}`,
    );
  const parsed = result.data as unknown as Omit<ResolvedExport, 'to' | 'dtype'> & Pick<ExportOptions, 'to' | 'dtype'>;
  const { to } = parsed;
  const names = EXPORT_OPTIONS.to.choices;
  if (to === undefined) throw wrong((option) => `${option('to')} is missing; allowed: ${names.join(', ')}`);
  const { dtypes } = formatOf(to);
  const dtype = parsed.dtype ?? (dtypes[0] as ExportDtype);
  if (!dtypes.includes(dtype))
    throw wrong((option) => `${option('dtype', dtype)} is none of ${option('to', to)}; allowed: ${dtypes.join(', ')}`);
  const unknown = parsed.also?.find((each) => !dtypes.includes(each));
  if (unknown !== undefined)
    throw wrong((option) => `${option('also', unknown)} is none of ${option('to', to)}; allowed: ${dtypes.join(', ')}`);
  for (const [name, { formats }] of Object.entries(EXPORT_OPTIONS as Readonly<Record<string, ExportOption>>)) {
    if (formats === undefined || formats.includes(to) || options[name as keyof ExportOptions] === undefined) continue;
    throw wrong(
      (option) => `${option(name)} is for ${formats.map((each) => option('to', each)).join(' and ')}, not ${to}`,
    );
  }
  return { ...parsed, to, dtype };
}
