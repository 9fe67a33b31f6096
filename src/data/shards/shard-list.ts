import { z } from 'zod';

const count = z.int().nonnegative();

/** What a manifest says of a row of tokens on disk. */
export const shardListSchema = z.strictObject({
  /** Bytes a token: unsigned, little-endian. */
  width: z.literal([2, 4]),
  /** Tokens in all files together. */
  length: count,
  files: z.array(
    z.strictObject({
      // No name may lead out of the folder.
      name: z.string().regex(/^[a-z]+-\d+\.bin$/),
      tokens: count.min(1),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

export type ShardList = z.infer<typeof shardListSchema>;
