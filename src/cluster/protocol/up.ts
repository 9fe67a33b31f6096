import { z } from 'zod';
import { blobRef, count, hash, name, seconds, text } from './wire.js';

const sender = { run: text, worker: name, incarnation: count };
/** Of the worker's whole process, since its start. */
const traffic = z.strictObject({ sent: count, received: count });
/** JSON has no NaN: null stands for it. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** What a member tells the coordinator: the messages of the rounds' machine, with figures, and those of a merge. */
export const upMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('join'), ...sender, layoutHash: text, stepsPerSecond: z.number().nullable() }),
  z.strictObject({ type: z.literal('leave'), ...sender, reason: text }),
  z.strictObject({
    type: z.literal('heartbeat'),
    ...sender,
    holds: count.nullable(),
    round: count.nullable(),
    traffic,
  }),
  z.strictObject({
    type: z.literal('contribution'),
    ...sender,
    round: count,
    tokens: count,
    /** Targets that it learned from, as the objective weighs samples. */
    weight: z.number(),
    steps: count,
    seconds,
    baseHash: text,
    layoutHash: text,
    length: count,
    finite: z.boolean(),
    norm: number,
    /** The list of the parts; its hash is the contribution's. */
    manifest: blobRef,
    /** Over those targets, in nats per token. */
    loss: number,
    gradientNorm: number,
    uploadSeconds: seconds,
    traffic,
  }),
  z.strictObject({
    type: z.literal('report'),
    ...sender,
    round: count,
    closed: count,
    hash,
    /** From the word that it is committed to the parameters. */
    gatherSeconds: seconds,
  }),
  z.strictObject({
    type: z.literal('reduced'),
    ...sender,
    round: count,
    attempt: text,
    shard: count,
    result: blobRef,
    /** Σ x² of each contribution's pseudo-gradient in this shard, in the order in which they were given. */
    squares: z.array(z.number().nonnegative()).min(1).max(10_000),
  }),
  z.strictObject({
    type: z.literal('reduce-failed'),
    ...sender,
    round: count,
    attempt: text,
    shard: count,
    /** Whose contribution was missing or damaged; null: it is not a contribution's fault. */
    culprit: name.nullable(),
    reason: text,
  }),
]);

export type UpMessage = z.output<typeof upMessage>;
