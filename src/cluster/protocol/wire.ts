import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { firstIssue } from '../../base/first-issue.js';
import { printableLine } from '../../base/printable.js';
import type { BlobRef } from '../../transport/transport.js';

/** Raised when coordinators and workers before and after would not understand each other. */
export const PROTOCOL = 5;

export const count = z.int().nonnegative();
/** Up to thirty years: sums and means of such stay finite. */
export const seconds = z.number().nonnegative().max(1e9);
/** Characters of a text; an escape is longer than what it stands for. */
const LONGEST = 2000;
/** What others write for people, as it can be shown in a line. */
export const text = z
  .string()
  .max(LONGEST)
  .transform((value) => printableLine(value).slice(0, LONGEST));
export const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** Bytes of a blob at most: what Node can hold in one array, and more than any file or part that we send. */
const MOST_BYTES = 2 ** 32 - 1;
/** Bytes of a chunk at least, where there are several: a sender cuts blobs into pieces of about a mebibyte. */
const LEAST_CHUNK = 2 ** 17;

/**
 * A blob's reference. Its key lies below the worker's own name; the caller checks whose, and of what size a blob must be
 * that has one.
 */
export const blobRef: z.ZodType<BlobRef> = z
  .strictObject({
    key: z
      .string()
      .max(200)
      .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)+$/),
    bytes: count.max(MOST_BYTES),
    chunks: z.int().min(1),
    hash,
  })
  .refine(({ bytes, chunks }) => chunks <= Math.max(1, Math.ceil(bytes / LEAST_CHUNK)), {
    message: `more chunks than its bytes have, of ${LEAST_CHUNK} at least`,
  });

/** Whose blob it is: the first segment of its key. */
export function ownerOf({ key }: BlobRef): string {
  return key.slice(0, key.indexOf('/'));
}

/** A message as bytes of JSON. */
export function encodeMessage(message: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

/**
 * Reads bytes that anyone may have sent.
 *
 * @param what the bytes are supposed to be, for the error
 * @throws MeanfieldError that says what is wrong with them
 */
export function decodeMessage<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new MeanfieldError(`Expected ${what} as JSON, got ${bytes.length} bytes that are none.`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  // It quotes keys and values of the message.
  const problem = printableLine(firstIssue(parsed.error)).slice(0, 300);
  throw new MeanfieldError(`Expected ${what}, got something else: ${problem}.`);
}
