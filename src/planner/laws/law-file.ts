import { z } from 'zod';
import { UsageError } from '../../base/errors.js';
import { firstIssue } from '../../base/first-issue.js';
import type { JsonValue } from '../../base/json.js';
import type { ScalingLaw } from './laws.js';

/** A file's mark: what it is and which form it has. */
const FORMAT = 'meanfield-law-1';

/** Names and sources stand in a line of text. */
const words = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would obey is refused
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, 'must be text on one line');

/** No law that was ever measured lies near these bounds; beyond them a figure is no law's, or overflows. */
const fileSchema = z.strictObject({
  format: z.literal(FORMAT),
  name: words(64),
  source: words(400),
  E: z.number().nonnegative().max(100),
  A: z.number().positive().max(1e30),
  B: z.number().positive().max(1e30),
  alpha: z.number().min(1e-3).max(10),
  beta: z.number().min(1e-3).max(10),
  upTo: z.strictObject({ parameters: z.number().min(1).max(1e18), tokens: z.number().min(1).max(1e21) }),
});

/** A law of parameters and tokens, as `scale` measures it. */
export type MeasuredLaw = Extract<ScalingLaw, { readonly form: 'parametric' }>;

/** A law as its file holds it. */
export function lawJson({ form: _form, ...law }: MeasuredLaw): JsonValue {
  return { format: FORMAT, ...law };
}

/** @throws UsageError when a file is no law, or a figure in it cannot be */
export function readLaw(json: JsonValue, name: string): MeasuredLaw {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success)
    throw new UsageError(
      `${name}: expected a scaling law with "format": "${FORMAT}": ${firstIssue(parsed.error)}. \`meanfield scale\` writes such a file, law.json in its folder.`,
    );
  const { format: _format, ...law } = parsed.data;
  return { form: 'parametric', ...law };
}
