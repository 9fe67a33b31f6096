import { z } from 'zod';
import { blobRef, count, name, text } from './wire.js';

/** What is asked at the door, and of the coordinator by its operator. */
export const ASK = {
  admission: 'join',
  status: 'status',
  stop: 'stop',
  evict: 'evict',
  audit: 'audit',
  decide: 'decide',
} as const;

/** The code of a refusal for the moment: whoever asks again later may be let in. */
export const BUSY = 'busy';

/** The code of a refusal until a person has approved the machine; the reason is the id by which it is approved. */
export const WAITING = 'waiting';
/** A person has refused the machine, or too many wait for one. */
export const NOT_APPROVED = 'not-approved';

/** A machine asks to take part. */
export const admissionRequest = z.strictObject({
  protocol: count,
  /** Meanfield's. */
  version: text,
  /** What the door gave. */
  key: text,
  replicas: z.int().min(1).max(256),
  /** What the machine calls itself; for people. */
  host: text,
  /** Bytes that it can still give out. */
  memory: count,
  /** Whether it trains with some of the model on disk: whether that fits it knows itself. */
  offloads: z.boolean().optional(),
});

export const admissionAnswer = z.discriminatedUnion('accepted', [
  z.strictObject({
    accepted: z.literal(true),
    run: text,
    pass: text,
    workers: z.array(z.strictObject({ worker: name, incarnation: count })).min(1),
    /** The run's {@link Configuration}. */
    configuration: blobRef,
  }),
  z.strictObject({ accepted: z.literal(false), code: text, reason: text }),
]);

export type AdmissionRequest = z.output<typeof admissionRequest>;
export type AdmissionAnswer = z.output<typeof admissionAnswer>;
