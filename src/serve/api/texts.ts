import { z } from 'zod';

/** Texts that one request may have read. */
export const MOST_TEXTS = 2048;

/** What answers tell of tokens that were read. */
export const readUsage = z.strictObject({ prompt_tokens: z.int(), total_tokens: z.int() });

export const usageOf = (tokens: number): z.output<typeof readUsage> => ({
  prompt_tokens: tokens,
  total_tokens: tokens,
});

/** A text, or several. */
export const texts = z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(MOST_TEXTS)], {
  error: 'expected a text or a list of texts, none empty',
});

/** One text as a list of one. */
export const listOf = (value: string | readonly string[]): readonly string[] =>
  typeof value === 'string' ? [value] : value;
