import { z } from 'zod';
import { UsageError } from '../base/errors.js';

/** A size: a whole number from 1. */
export const positive = z.number().int().positive();

/**
 * Reads a model's `config.json` by its family's schema.
 *
 * @throws UsageError naming each key that is wrong and what was expected
 */
export function parseConfig<T>(family: string, schema: z.ZodType<T>, config: unknown): T {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map((i) =>
    i.path.length > 0 ? `${i.path.join('.')}: ${i.message}` : i.message,
  );
  throw new UsageError(`The ${family} configuration is not usable: ${problems.join('; ')}.`);
}
