import { z } from 'zod';
import { UsageError } from '../base/errors.js';

const schema = z.strictObject({
  /** The text to continue. Empty: the model starts a text of its own. */
  prompt: z.string().default(''),
  /** Tokens to write at most. */
  maxTokens: z.number().int().nonnegative().default(256),
  /** Divides the scores before sampling: below 1 plays safe, above 1 dares more; 0 takes the likeliest token always. */
  temperature: z.number().nonnegative().default(0.8),
  /** Sample among this many likeliest tokens only; 0 for all. */
  topK: z.number().int().nonnegative().default(200),
  /** Sample among the likeliest tokens that together have this probability (nucleus sampling, arXiv 1904.09751). */
  topP: z.number().gt(0).max(1).default(1),
  /** The same seed gives the same text. */
  seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(1337),
  /** Stop at the token that ends a text, where the model has one. */
  stopAtEnd: z.boolean().default(true),
});

/** How to sample; what is left out has its default. */
export type GenerateOptions = z.input<typeof schema> & {
  /** Stops the generation after the token in work. */
  readonly signal?: AbortSignal;
};

export type ResolvedOptions = z.output<typeof schema>;

/** @throws UsageError naming each option that is wrong and what is allowed */
export function resolveOptions({ signal: _, ...options }: GenerateOptions): ResolvedOptions {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new UsageError(`Generation options are not usable: ${problems.join('; ')}.`);
}
