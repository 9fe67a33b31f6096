import { z } from 'zod';
import type { RoundsState } from '../../rounds/index.js';
import { MEMBER_STATUSES, PHASES, WORKER_STATUSES } from '../../rounds/types.js';

const count = z.int().nonnegative();
/** By the coordinator's own clock, which may begin anywhere. */
const time = z.number();
const address = { worker: z.string().min(1), incarnation: count };
const span = z.number().nonnegative().nullable();

const contribution = z
  .strictObject({
    tokens: count,
    // Before contributions weighed by what they learned from, they did by their tokens.
    weight: z.number().positive().optional(),
    steps: count,
    seconds: z.number(),
    baseHash: z.string(),
    layoutHash: z.string(),
    length: count,
    finite: z.boolean(),
    norm: z.number(),
    contentHash: z.string(),
  })
  .transform(({ weight, ...told }) => ({ ...told, weight: weight ?? told.tokens }));

const member = z.strictObject({
  ...address,
  steps: count,
  // Not in what was stored before contributions weighed by what they learned from.
  weight: z.number().positive().nullable().default(null),
  counted: z.boolean(),
  // These two, and those of a worker and of the run, were not in what was stored before absence had its price.
  patience: z.number().nonnegative().default(0),
  lateness: z.number().nonnegative().default(0),
  status: z.enum(MEMBER_STATUSES),
  contribution: contribution.nullable(),
});

const worker = z.strictObject({
  ...address,
  status: z.enum(WORKER_STATUSES),
  lastSeen: time,
  missed: count,
  credit: span.default(null),
  lateness: z.number().nonnegative().default(0),
  heals: count,
  stepsPerSecond: z.number().nullable(),
});

/** The state of the rounds' machine as it was stored. */
export const roundsSchema: z.ZodType<RoundsState> = z
  .strictObject({
    version: z.literal(1),
    run: z.string().min(1),
    options: z.strictObject({
      quorum: z.number(),
      grace: span,
      heartbeatTimeout: span,
      roundTimeout: span,
      outlierFactor: z.number().nullable(),
      minimumMembers: count,
      steps: count,
      adaptiveSteps: z.boolean(),
      idleRounds: count,
      healAttempts: count,
      // What follows was not in what was stored before these were checked.
      tokensPerStep: count.nullable().default(null),
      normPerStep: z.number().nullable().default(null),
      strikes: count.default(3),
      suspension: span.default(300_000),
    }),
    layout: z.strictObject({ hash: z.string(), length: count }),
    steps: count.min(1),
    committed: z.strictObject({ round: count, hash: z.string().min(1) }),
    round: count,
    phase: z.enum(PHASES),
    since: time,
    heardAt: time.default(0),
    reportedAt: time.nullable().default(null),
    pace: z.number().nonnegative().default(0),
    gaveUp: count.default(0),
    lost: z.number().nonnegative().default(0),
    open: z
      .strictObject({ round: count, openedAt: time, quorumAt: time.nullable(), members: z.array(member) })
      .nullable(),
    workers: z.array(worker),
    departed: z.array(z.strictObject(address)),
    evicted: z.array(z.string()),
    strikes: z.array(z.strictObject({ worker: z.string().min(1), count })).default([]),
    suspended: z.array(z.strictObject({ worker: z.string().min(1), until: time, reason: z.string() })).default([]),
    stopping: z.boolean(),
  })
  .refine(({ phase, open }) => (open !== null) === (phase === 'training' || phase === 'merging'), {
    message: 'a round is open in training and merging, and only then',
  });
