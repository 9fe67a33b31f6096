import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import type { JsonObject, JsonValue } from '../base/json.js';
import { refuseOthers, usedKeys } from './config-rules.js';
import { PublishedConfig } from './published.js';

/** A size: a whole number from 1. */
export const positive = z.number().int().positive();

/**
 * Reads a model's `config.json` by its family's schema, with the defaults of the published class.
 *
 * @throws UsageError naming each key that is wrong and what was expected, or that asks for what Meanfield does not do
 */
export function parseConfig<T>(family: string, schema: z.ZodType<T>, config: unknown): T {
  const read = new PublishedConfig(family, config);
  refuseOthers(read);
  const filled: Record<string, JsonValue> = { ...read.given };
  for (const key of usedKeys(family)) {
    const value = read.value(key);
    // A null that stands for what it is derived from is kept, so that a file that is written again stays the same.
    if (value !== undefined && (value !== null || Object.hasOwn(config as JsonObject, key))) filled[key] = value;
  }
  const result = schema.safeParse(filled);
  if (result.success) return result.data;
  const problems = result.error.issues.map((i) =>
    i.path.length > 0 ? `${i.path.join('.')}: ${i.message}` : i.message,
  );
  throw new UsageError(`The ${family} configuration is not usable: ${problems.join('; ')}.`);
}
