import { z } from 'zod';
import { type SampleRange, sorted } from './ranges.js';

const place = z.int().min(0);
const range = z.strictObject({ start: place, end: place }).refine(({ start, end }) => start < end, 'an empty range');

const lease = z.strictObject({
  worker: z.string().min(1),
  round: place,
  /** In the order in which they were given out. */
  ranges: z.array(range).min(1),
});

/**
 * Who has which samples; JSON. A place is a sample of the endless order of all epochs: `epoch` · `samples` + its place in
 * the epoch. What is below `next` and neither leased nor free has been trained on and committed.
 */
export const ledgerSchema = z
  .strictObject({
    version: z.literal(1),
    /** Samples of an epoch. */
    samples: z.int().min(1),
    /** Of the order that the places are in. */
    seed: z.int(),
    /** The first place that nobody has had. */
    next: place,
    /** Places that came back: in order, none touching another. */
    free: z.array(range),
    leases: z.array(lease),
  })
  .superRefine((ledger, context) => {
    const problem = problemOf(ledger);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });

export type Ledger = z.output<typeof ledgerSchema>;
export type Lease = z.output<typeof lease>;

function problemOf({ next, free, leases }: Pick<Ledger, 'next' | 'free' | 'leases'>): string | undefined {
  const all = [...free, ...leases.flatMap(({ ranges }) => ranges)].sort((a, b) => a.start - b.start);
  if (all.some(({ end }) => end > next)) return `places from ${next} on are given out already`;
  const overlap = all.find(({ start }, i) => i > 0 && start < all[i - 1]!.end);
  if (overlap) return `place ${overlap.start} is given out twice`;
  if (!same(free, sorted(free))) return 'free places are not in order';
  const owners = leases.map(({ worker, round }) => `${round} ${worker}`);
  return new Set(owners).size < owners.length ? 'a worker has two leases in one round' : undefined;
}

const same = (a: readonly SampleRange[], b: readonly SampleRange[]): boolean =>
  a.length === b.length && a.every(({ start }, i) => start === b[i]!.start);
