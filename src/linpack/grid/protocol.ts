import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { firstIssue } from '../../base/first-issue.js';
import { printableLine } from '../../base/printable.js';
import { KINDS } from './inbox.js';

/** Raised when machines before and after would not understand each other. */
export const GRID_PROTOCOL = 1;
/** Machines of a grid at most. */
export const MOST_MACHINES = 256;
/** Bytes of values that go within a message; more are stored, and the message says where. */
export const INLINE_BYTES = 48_000;
const LONGEST_MESSAGE = 200_000;

const count = z.int().nonnegative();
const rank = count.max(MOST_MACHINES - 1);
/** What others write for people, as it can be shown in a line. */
const said = z
  .string()
  .max(2000)
  .transform((value) => printableLine(value).slice(0, 2000));

const stored = z.strictObject({
  key: z
    .string()
    .max(200)
    .regex(/^[\w-]+(\/[\w-]+)+$/),
  bytes: count.max(2 ** 32 - 1),
  chunks: z.int().min(1).max(1e5),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

/** Values of a letter: in base64, or where they are stored. */
const content = z.union([z.strictObject({ inline: z.string().max(1.4 * INLINE_BYTES) }), z.strictObject({ stored })]);
export type Content = z.output<typeof content>;

const letter = { kind: z.enum(KINDS), step: count.max(1e7) };

/** A machine asks to take part. */
export const gridRequest = z.strictObject({
  grid: z.literal(GRID_PROTOCOL),
  /** What the door gave. */
  key: z.string().max(2000),
  host: said,
  /** Bytes that it has free. */
  memory: count,
});

const size = z.int().min(1);
/** Shaped as the answer to a worker of a training run, so that each is told in its own words what it has come to. */
export const gridAnswer = z.discriminatedUnion('accepted', [
  z.strictObject({
    accepted: z.literal(true),
    grid: z.literal(GRID_PROTOCOL),
    pass: z.string().max(20_000),
    worker: z.string().regex(/^m\d{1,3}$/),
    rank,
    n: size.max(1e7),
    nb: size.max(1e4),
    rows: size.max(MOST_MACHINES),
    columns: size.max(MOST_MACHINES),
  }),
  z.strictObject({ accepted: z.literal(false), code: said, reason: said }),
]);

/** What a machine tells the one that coordinates. */
export const gridUp = z.discriminatedUnion('type', [
  /** A sign of life. */
  z.strictObject({ type: z.literal('beat'), begun: z.boolean() }),
  z.strictObject({ type: z.literal('letter'), to: z.array(rank).min(1).max(MOST_MACHINES), ...letter, content }),
  /** It has what it needs of all letters up to this step. */
  z.strictObject({ type: z.literal('done'), step: count }),
  z.strictObject({
    type: z.literal('result'),
    milliseconds: z.number().positive().max(1e12),
    residual: z.number().nonnegative().nullable(),
    productGflops: z.number().positive().max(1e9),
  }),
  z.strictObject({ type: z.literal('failed'), reason: said }),
]);
export type GridUp = z.output<typeof gridUp>;

/** What the one that coordinates tells a machine, signed. */
export const gridDown = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('begin') }),
  z.strictObject({ type: z.literal('letter'), from: rank, ...letter, content }),
  /** With a reason where it is not the run's own end. */
  z.strictObject({ type: z.literal('end'), reason: said.nullable() }),
]);
export type GridDown = z.output<typeof gridDown>;

export const encodeGrid = (message: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(message));

/**
 * Reads bytes that anyone may have sent.
 *
 * @throws MeanfieldError that says what is wrong with them
 */
export function decodeGrid<Schema extends z.ZodType>(
  bytes: Uint8Array,
  schema: Schema,
  what: string,
): z.output<Schema> {
  if (bytes.length > LONGEST_MESSAGE) {
    throw new MeanfieldError(`Expected ${what}, got ${bytes.length} bytes; it has ${LONGEST_MESSAGE} at most.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new MeanfieldError(`Expected ${what}, got ${bytes.length} bytes that are no JSON.`);
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new MeanfieldError(`Expected ${what}; ${firstIssue(result.error)}.`);
  return result.data;
}

/** The values of a letter, little-endian doubles, as every machine that Node runs on has them. */
export function valuesOf(bytes: Uint8Array): Float64Array {
  if (bytes.length % 8 !== 0) throw new MeanfieldError(`Expected doubles, got ${bytes.length} bytes.`);
  return new Float64Array(new Uint8Array(bytes).buffer);
}

export function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
