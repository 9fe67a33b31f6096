import { z } from 'zod';
import { blobRef, count, hash, name, text } from './wire.js';

const committed = z.strictObject({ round: count, hash });

const lease = z.array(z.strictObject({ epoch: count, start: count, end: count })).max(100_000);

/** By which a machine comes to the committed parameters: a snapshot, then the results of the rounds since. */
const chain = z.strictObject({
  snapshot: z.strictObject({ round: count, hash, manifest: blobRef }),
  /** In order; each applies to the one before, the first to the snapshot. */
  results: z.array(z.strictObject({ round: count, hash, fragment: count, manifest: blobRef })).max(1000),
});

/** The inner steps of a member in a round. */
const work = {
  steps: count.min(1),
  /** Which part of the model the round exchanges, from 0. */
  fragment: count,
  /** Where the learning rate's schedule stands at the first step, and how far it goes over them all. */
  position: z.number().nonnegative(),
  advance: z.number().nonnegative(),
  /** The samples to train on, once each. */
  lease,
};

const standing = { committed, closed: count, chain };

/** What the coordinator tells one member: the effects of the rounds' machine, with what is needed to act on them. */
export const downMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('welcome'), ...standing }),
  z.strictObject({ type: z.literal('commit'), ...standing }),
  z.strictObject({ type: z.literal('abort'), ...standing, round: count, reason: text }),
  z.strictObject({ type: z.literal('heal'), ...standing, reason: text }),
  z.strictObject({ type: z.literal('stopped'), ...standing }),
  z.strictObject({
    type: z.literal('startRound'),
    round: count,
    base: committed,
    ...work,
    /** With fragments: what to go on with until the next round opens. It is of the round after this one. */
    next: z.strictObject(work).nullable(),
  }),
  z.strictObject({ type: z.literal('accepted'), round: count }),
  z.strictObject({ type: z.literal('refuse'), about: text, code: text, reason: text }),
  /** `banned`: it need not try again. */
  z.strictObject({ type: z.literal('evict'), reason: text, banned: z.boolean() }),
  z.strictObject({
    type: z.literal('reduce'),
    round: count,
    /** Tells a merge from an earlier one of the same round with other contributions. */
    attempt: name,
    fragment: count,
    /** Which shards this member is to reduce. */
    shards: z.array(count).max(256),
    /** In replica order, the order of sums. */
    contributions: z
      .array(
        z.strictObject({
          worker: name,
          /** In what share it counts, of the sum of all. */
          weight: z.number().positive(),
          /** Of the pseudo-gradient, as the worker told it. */
          norm: z.number().nonnegative(),
          manifest: blobRef,
        }),
      )
      .min(1),
  }),
]);

/** A message and which life of which member it is for, as the coordinator signs it. */
export const downEnvelope = z.strictObject({
  run: text,
  worker: name,
  incarnation: count,
  /** Of the coordinator that leads, and how many it has sent to this member before: nothing counts twice. */
  term: count,
  sequence: count,
  message: downMessage,
});

export type DownMessage = z.output<typeof downMessage>;
export type Work = Pick<StartMessage, keyof typeof work>;
export type Chain = z.output<typeof chain>;
export const chainSchema = chain;
/** Messages that say where the run stands. */
export type StandingMessage = Extract<DownMessage, { readonly chain: Chain }>;
export type StartMessage = Extract<DownMessage, { readonly type: 'startRound' }>;
export type ReduceMessage = Extract<DownMessage, { readonly type: 'reduce' }>;
