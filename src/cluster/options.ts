import { z } from 'zod';
import { FORMATS } from '../averaging/formats/format.js';
import { UsageError } from '../base/errors.js';
import { optionIssues } from '../base/option-issues.js';

/** How contributions become one. */
export const MERGES = ['mean', 'trimmed', 'median'] as const;

/**
 * How averaged moments may travel. AdamW divides by the root of the second moment: in a block of 8 or 4 bits small ones
 * become 0, and the next step is divided by ε alone.
 */
export const MOMENTS_FORMATS = ['fp32', 'bf16'] as const;

const seconds = z.number().nonnegative();
const count = z.int().min(1);

const clusterOptionsSchema = z.strictObject({
  /** Share of a round's members that must contribute before the grace window starts. */
  quorum: z.number().gt(0).lte(1).default(0.5),
  /** Seconds for which the others are waited for after that. */
  grace: seconds.default(10),
  /** Seconds after which a round is committed if it has its quorum and aborted if not. */
  roundTimeout: seconds.gt(0).default(600),
  /** Seconds of silence after which a worker is taken for dead. */
  heartbeatTimeout: seconds.gt(0).default(10),
  /** No round opens with fewer members. */
  minWorkers: count.default(1),
  /** Whether H follows a worker's speed. */
  adaptiveSteps: z.boolean().default(true),
  /** A pseudo-gradient whose norm is so many times the round's median is refused; null: no such check. */
  outlierFactor: z.number().gt(1).nullable().default(10),
  /** Whether two workers sum each shard and are compared, instead of a check of one in a hundred. */
  doubleSums: z.boolean().default(false),
  format: z.enum(FORMATS).default('fp32'),
  /** How averaged moments travel. */
  momentsFormat: z
    .enum(MOMENTS_FORMATS, {
      error:
        'must be fp32 or bf16: int8 and int4 round small second moments to 0, and the next step would divide by ε alone',
    })
    .default('bf16'),
  merge: z.enum(MERGES).default('mean'),
  /** P: parts of the model that are exchanged in turn while training goes on; 1: the whole model after each round. */
  fragments: count.max(64).default(1),
  /** τ: inner steps after a contribution before its round's result is mixed in, with fragments. */
  overlap: z.int().nonnegative().default(1),
  /** α: share of its own parameters that a worker keeps when a fragment's result comes, with fragments. */
  mixing: z.number().min(0).lt(1).default(0.5),
  /** How the workers come by the tokens: through the message system, a shared folder, or a web server. */
  data: z
    .union([
      z.literal('send'),
      z.strictObject({ path: z.string().min(1) }),
      z.strictObject({ http: z.url({ protocol: /^https?$/ }) }),
    ])
    .default('send'),
});

/** What a run between machines goes by, beside the options of `train`. */
export type ClusterOptions = z.input<typeof clusterOptionsSchema>;
/** With defaults. */
export type ParsedClusterOptions = z.output<typeof clusterOptionsSchema>;

/**
 * Checks options and fills in defaults.
 *
 * @throws UsageError naming every option that is wrong, as the command line spells it
 */
export function parseClusterOptions(options: ClusterOptions = {}): ParsedClusterOptions {
  const result = clusterOptionsSchema.safeParse(options, { reportInput: true });
  if (result.success) return result.data;
  throw new UsageError(`Cannot start a cluster with these options: ${optionIssues(result.error)}.`);
}
