import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';
import { shapeOf } from '../base/option-schema.js';
import type { OptionsOf, ParsedOf } from '../base/option-table.js';
import { spelledError } from '../base/spelling.js';
import { EVALUATE_OPTIONS, GENERATE_OPTIONS, LOAD_OPTIONS } from './option-table.js';

/**
 * How to compute with a model.
 *
 * @category Using a model
 */
export interface LoadOptions extends Readonly<OptionsOf<typeof LOAD_OPTIONS>> {}

/**
 * What may go on beside an evaluation.
 *
 * @category Using a model
 */
export interface EvaluateOptions extends Readonly<OptionsOf<typeof EVALUATE_OPTIONS>> {
  /** Called with what the user should hear of the text, such as files that were passed over. */
  readonly notice?: (message: string) => void;
  /** Stops it with an AbortError. */
  readonly signal?: AbortSignal;
  /** Called now and then with the tokens predicted so far. */
  readonly progress?: (tokens: number) => void;
}

/**
 * What may go on beside the making of vectors.
 *
 * @category Using a model
 */
export interface EmbedOptions {
  /** Stops it with an AbortError. */
  readonly signal?: AbortSignal;
  /** Called now and then with the texts done so far. */
  readonly progress?: (texts: number) => void;
}

/**
 * How to sample; what is left out has its default.
 *
 * @category Using a model
 */
export interface GenerateOptions extends Readonly<Omit<OptionsOf<typeof GENERATE_OPTIONS>, 'stop'>> {
  /** Text that ends the generation, and is not part of it, or several; the first that is written counts. Default none. */
  readonly stop?: string | readonly string[] | undefined;
  /** Stops the generation after the token in work, or gives up its place among those that wait. */
  readonly signal?: AbortSignal | undefined;
}

export type ResolvedOptions = ParsedOf<typeof GENERATE_OPTIONS> & {
  readonly stop: readonly string[];
  readonly signal?: AbortSignal | undefined;
};

const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional();
const generateSchema = z.strictObject({ ...shapeOf(GENERATE_OPTIONS), signal });
const loadSchema = z.strictObject(shapeOf(LOAD_OPTIONS));
const listener = z.custom((value) => typeof value === 'function', 'expected a function').optional();
const embedSchema = z.strictObject({ signal, progress: listener });
const evaluateSchema = z.strictObject({ ...shapeOf(EVALUATE_OPTIONS), signal, notice: listener, progress: listener });

/** @throws UsageError naming each option that is wrong, and what is allowed */
export function resolveOptions(options: GenerateOptions): ResolvedOptions {
  // One text stands for a list of one; what is no object is told of as it came.
  const given = typeof options?.stop === 'string' ? { ...options, stop: [options.stop] } : options;
  const result = generateSchema.safeParse(given, { reportInput: true });
  if (result.success) {
    const parsed = result.data as unknown as ResolvedOptions;
    return { ...parsed, stop: parsed.stop ?? [] };
  }
  const hint = typeof options === 'string' ? ' Write generate({ prompt: … }).' : '';
  const { error } = result;
  throw spelledError(
    UsageError,
    (spelling) =>
      `Cannot generate with these options: ${optionIssues(error, spelling)}.${hint}${spelling.help('generate')}`,
  );
}

/** @throws UsageError for what {@link load} cannot be given */
export function checkLoad(run: unknown, options: LoadOptions): ParsedOf<typeof LOAD_OPTIONS> {
  if (typeof run !== 'string' || run === '') {
    throw new UsageError(`Cannot load a model: expected the folder of a run or a model, got ${JSON.stringify(run)}.`);
  }
  const result = loadSchema.safeParse(options, { reportInput: true });
  if (result.success) return result.data as unknown as ParsedOf<typeof LOAD_OPTIONS>;
  throw wrong(`Cannot load ${run}`, result.error, Object.keys(LOAD_OPTIONS));
}

/** @throws UsageError naming each option that is wrong */
export function checkEvaluate(options: EvaluateOptions): EvaluateOptions {
  const result = evaluateSchema.safeParse(options, { reportInput: true });
  if (result.success) return options;
  throw wrong('Cannot evaluate', result.error, Object.keys(evaluateSchema.shape));
}

/** @throws UsageError naming each option that is wrong */
export function checkEmbed(options: EmbedOptions): EmbedOptions {
  const result = embedSchema.safeParse(options, { reportInput: true });
  if (result.success) return options;
  throw wrong('Cannot embed', result.error, Object.keys(embedSchema.shape));
}

function wrong(what: string, error: z.ZodError, allowed: readonly string[]): UsageError {
  return spelledError(UsageError, (spelling) => {
    const list = allowed.map((name) => spelling.option(name)).join(', ');
    return `${what}: ${optionIssues(error, spelling)}. Options: ${list}.`;
  });
}
