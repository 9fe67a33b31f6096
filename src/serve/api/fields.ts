import { z } from 'zod';

/** What may be left out, or null, which is the same. */
export function maybe<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/**
 * A parameter that others know and this server cannot give: refused unless it says what is so anyway.
 *
 * @param reason why, and what there is instead
 * @param neutral values that ask for nothing
 */
export function refused(reason: string, neutral: readonly unknown[] = []) {
  const allowed = neutral.map((value) => JSON.stringify(value));
  const may = allowed.length > 0 ? ` It may be ${allowed.join(' or ')}, or be left out.` : ' Leave it out.';
  return z
    .unknown()
    .optional()
    .refine((value) => value === undefined || value === null || allowed.includes(JSON.stringify(value)), {
      error: `is not supported: ${reason}.${may}`,
    })
    .meta({ description: `Not supported: ${reason}.${may}` });
}

/** A label that changes nothing of the answer. */
export const label = () => maybe(z.unknown()).meta({ description: 'Accepted, and of no effect on the answer.' });

/** A number of a token. */
export const tokenId = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

export const modelName = maybe(z.string().min(1).max(500)).meta({
  description: 'Which model answers; where a single one is served it may be left out.',
});
