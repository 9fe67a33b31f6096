import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';
import { spelledError } from '../base/spelling.js';

const schema = z.strictObject({
  prompt: z.string().default(''),
  maxTokens: z.number().int().nonnegative().default(256),
  temperature: z.number().nonnegative().default(0.8),
  topK: z.number().int().nonnegative().default(200),
  topP: z.number().gt(0).max(1).default(1),
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(1337),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1))])
    .default([])
    .transform((stop): readonly string[] => (typeof stop === 'string' ? [stop] : stop)),
  stopAtEnd: z.boolean().default(true),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
});

/**
 * How to sample; what is left out has its default.
 *
 * @category Using a model
 */
export interface GenerateOptions {
  /** The text to continue. Default empty: the model starts a text of its own. */
  readonly prompt?: string | undefined;
  /** Tokens to write at most. Default 256. */
  readonly maxTokens?: number | undefined;
  /**
   * Divides the scores before sampling: below 1 plays safe, above 1 dares more; 0 takes the likeliest token always.
   * Default 0.8.
   */
  readonly temperature?: number | undefined;
  /** Sample among this many likeliest tokens only; 0 for all. Default 200. */
  readonly topK?: number | undefined;
  /**
   * Sample among the likeliest tokens that together have this probability (nucleus sampling, arXiv 1904.09751).
   * Default 1.
   */
  readonly topP?: number | undefined;
  /** The same seed gives the same text. Default 1337. */
  readonly seed?: number | undefined;
  /** Texts that end the generation, and are not part of it; the first that is written counts. Default none. */
  readonly stop?: string | readonly string[] | undefined;
  /** Stop at the token that ends a text, where the model has one. Default true. */
  readonly stopAtEnd?: boolean | undefined;
  /** Stops the generation after the token in work, or gives up its place among those that wait. */
  readonly signal?: AbortSignal | undefined;
}

export type ResolvedOptions = z.output<typeof schema>;

/** @throws UsageError naming each option that is wrong, and what is allowed */
export function resolveOptions(options: GenerateOptions): ResolvedOptions {
  const result = schema.safeParse(options, { reportInput: true });
  if (result.success) return result.data;
  const hint = typeof options === 'string' ? ' Write generate({ prompt: … }).' : '';
  const { error } = result;
  throw spelledError(
    UsageError,
    (spelling) =>
      `Cannot generate with these options: ${optionIssues(error, spelling)}.${hint}${spelling.help('generate')}`,
  );
}
