import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import type { Ledger } from '../../data/ledger/index.js';
import { ledgerSchema } from '../../data/ledger/index.js';
import type { RoundsState } from '../../rounds/index.js';
import type { BlobRef } from '../../transport/transport.js';
import { type Chain, chainSchema } from '../protocol/down.js';
import { blobRef, count, decodeMessage, encodeMessage, name, text } from '../protocol/wire.js';
import { type Approval, approvalSchema } from './approvals.js';
import { roundsSchema } from './rounds-schema.js';

const progressSchema = z.strictObject({
  /** Committed inner steps per replica: the sum of the rounds' means over their members, by tokens. */
  position: z.number().nonnegative(),
  tokens: count,
  /** Of committed rounds, from opening to commit. */
  seconds: z.number().nonnegative(),
  last: z.strictObject({ steps: z.number().positive(), seconds: z.number().nonnegative() }).nullable(),
  train_loss: z.number().nullable(),
  val_loss: z.number().nullable(),
  best_val_loss: z.number().nullable(),
});

/** What is waited for in the open round, beside what the rounds' machine knows. */
const openingSchema = z.strictObject({
  round: count,
  /** The learning rate's schedule at the round's start, and how far it goes. */
  position: z.number().nonnegative(),
  advance: z.number().nonnegative(),
  /** The lists of the contributions' parts and what else was told with them, by worker. */
  contributions: z.array(z.strictObject({ worker: name, manifest: blobRef, loss: z.number().nullable() })),
});

/** Contributions to the last committed round, kept until the next commit so that they can be audited. */
const lastSchema = z.strictObject({
  round: count,
  contributions: z.array(
    z.strictObject({
      worker: name,
      manifest: blobRef,
      tokens: count,
      /** As the worker told it. */
      norm: z.number().nonnegative(),
    }),
  ),
});

const stateSchema = z.strictObject({
  format: z.literal('meanfield-cluster'),
  version: z.literal(1),
  rounds: roundsSchema,
  ledger: ledgerSchema,
  configuration: blobRef,
  chain: chainSchema,
  progress: progressSchema,
  opening: openingSchema.nullable(),
  /** Not in what was stored before there were audits. */
  last: lastSchema.nullable().default(null),
  /** What the next worker's number is, so that no name comes twice. */
  next: count,
  /** What the machines call themselves, by worker. */
  hosts: z.record(name, text),
  /** Not in what was stored before a person could approve who joins. */
  approvals: z.array(approvalSchema).default([]),
  /** How often the state was stored; not in what was stored before it was counted. */
  serial: count.default(0),
  /** Lists of blobs that nobody needs once the next snapshot is there. */
  retired: z.array(blobRef),
});

export type CommittedProgress = z.output<typeof progressSchema>;
export type Opening = z.output<typeof openingSchema>;
export type LastRound = z.output<typeof lastSchema>;

/** Everything that a coordinator must know to carry on, as plain JSON: stored in the message system after each change. */
export interface RunState {
  readonly format: 'meanfield-cluster';
  readonly version: 1;
  readonly rounds: RoundsState;
  readonly ledger: Ledger;
  readonly configuration: BlobRef;
  readonly chain: Chain;
  readonly progress: CommittedProgress;
  readonly opening: Opening | null;
  readonly last: LastRound | null;
  readonly next: number;
  readonly hosts: Readonly<Record<string, string>>;
  readonly approvals: readonly Approval[];
  readonly serial: number;
  readonly retired: readonly BlobRef[];
}

export const NO_PROGRESS: CommittedProgress = {
  position: 0,
  tokens: 0,
  seconds: 0,
  last: null,
  train_loss: null,
  val_loss: null,
  best_val_loss: null,
};

/** Of a run that nobody has worked for yet, all that does not depend on what is run. */
export const BEGINNING = {
  progress: NO_PROGRESS,
  opening: null,
  last: null,
  next: 1,
  hosts: {},
  approvals: [],
  serial: 0,
  retired: [],
} as const satisfies Partial<RunState>;

/** @throws MeanfieldError when the bytes are not the state of a run */
export function decodeState(bytes: Uint8Array, where: string): RunState {
  return decodeMessage(bytes, stateSchema, `the state of a run in ${where}`) as RunState;
}

/** @throws MeanfieldError when the value, from a file that was parsed already, is not the state of a run */
export function parseState(value: unknown, where: string): RunState {
  const parsed = stateSchema.safeParse(value);
  if (parsed.success) return parsed.data as RunState;
  throw new MeanfieldError(`${where} is not the state of a run: ${z.prettifyError(parsed.error).slice(0, 300)}.`);
}

export function encodeState(state: RunState): Uint8Array {
  return encodeMessage(state);
}
