import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { firstIssue } from '../../base/first-issue.js';
import { shardListSchema } from '../shards/shard-list.js';

/** The file that makes a folder a data set. It is written last, so whatever it names is whole. */
export const MANIFEST = 'dataset.json';

const count = z.int().nonnegative();
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const settingsSchema = z.strictObject({
  /** Raised when the same text and settings would give other tokens than before. */
  version: z.literal(1),
  field: z.string(),
  /** `chars`, `bytes`, `bpe`, or the sha256 of the `tokenizer.json` that was given. */
  tokenizer: z.string(),
  /** What was asked for; 0 where the tokenizer or the size of the text decides. */
  vocabularySize: count,
  validationFraction: z.number(),
  /** Files that validate, the last of those read, where they are not a part of the corpus. */
  heldOut: count.optional(),
  /** How often a pair must come for `bpe` to merge it. */
  minFrequency: count.optional(),
  /** There where the tokenizer has a mask token that was asked for; left out otherwise, as it was before there was one. */
  mask: z.literal(true).optional(),
  /** The same of sentinels. */
  sentinels: z.literal(true).optional(),
});

const manifestSchema = z.strictObject({
  format: z.literal('meanfield-dataset'),
  settings: settingsSchema,
  /** The sha256 over the documents. */
  content: hash,
  /** The sha256 over settings and content. */
  fingerprint: hash,
  /** The files read, by which it is known without reading them that they are the same. */
  inputs: z.array(z.strictObject({ path: z.string(), size: count, modified: z.number() })),
  statistics: z.object({
    files: count,
    documents: count,
    bytes: count,
    empty: count,
    skippedBinary: count,
    skippedBinaryFiles: z.array(
      z.union([
        z.strictObject({ path: z.string(), reason: z.string() }),
        // Of a data set made before the reasons were kept.
        z.string().transform((path) => ({ path, reason: 'it is not text' })),
      ]),
    ),
    skippedOther: count,
    // Not in what was stored before links were passed over.
    skippedLinks: count.default(0),
    skippedLinkFiles: z.array(z.string()).default([]),
    skippedRuns: z.array(z.string()).default([]),
    remarks: z.array(z.string()).default([]),
  }),
  /** The sha256 of the tokenizer's files. */
  tokenizerFiles: z.strictObject({ 'tokenizer.json': hash, 'tokenizer_config.json': hash }),
  train: shardListSchema,
  validation: shardListSchema,
});

/** What text is turned into tokens by. */
export type DatasetSettings = z.infer<typeof settingsSchema>;
export type DatasetManifest = z.infer<typeof manifestSchema>;

/** The manifest of a folder, or undefined with the reason when it has none that can be believed. */
export async function readManifest(
  folder: string,
): Promise<{ manifest: DatasetManifest } | { manifest: undefined; reason: string }> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8'));
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { manifest: undefined, reason: missing ? 'it is missing' : 'it is not JSON' };
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return { manifest: parsed.data };
  return { manifest: undefined, reason: firstIssue(parsed.error) };
}
