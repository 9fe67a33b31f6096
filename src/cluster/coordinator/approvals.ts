import { z } from 'zod';
import { sha256 } from '../../base/hash.js';
import { count, text } from '../protocol/wire.js';

/** Machines that wait for a person's word at the same time. */
export const MOST_WAITING = 32;
/** Words of a person that are remembered. */
const MOST_DECIDED = 256;
/** Of a key and of a host's name: characters. */
const LONGEST_KEY = 128;
const LONGEST_HOST = 64;

export const approvalSchema = z.strictObject({
  /** Of the machine's key, for people: whoever approves compares it with what the machine shows. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  key: z.string().max(LONGEST_KEY),
  /** What the machine calls itself. */
  host: text,
  /** Where the server sees it; null: it does not tell. */
  address: z.string().max(LONGEST_HOST).nullable(),
  replicas: count,
  /** Milliseconds since 1970. */
  since: z.number(),
  decision: z.enum(['waiting', 'approved', 'refused']),
});

/** A machine that asked by an invitation which needs a person's approval, and what the person said. */
export type Approval = z.output<typeof approvalSchema>;

/** What is known of a machine that asks. */
export type Asking = Omit<Approval, 'id' | 'since' | 'decision'>;

/** What {@link ask} answers: the machine's entry, and the list with it; or why there is none. */
export type Asked =
  | { readonly approvals: readonly Approval[]; readonly approval: Approval }
  | { readonly full: string };

/** A machine asks: again, or for the first time. @param now milliseconds since 1970 */
export function ask(approvals: readonly Approval[], asking: Asking, now: number): Asked {
  const known = approvals.find(({ key }) => key === asking.key);
  if (known) return { approvals, approval: known };
  if (asking.key.length > LONGEST_KEY) return { full: `a key has ${LONGEST_KEY} characters at most` };
  const id = idOf(asking.key);
  // Whoever makes keys until one looks like another's must not be taken for it.
  if (approvals.some((one) => one.id === id)) return { full: 'another machine has a key that looks like this one' };
  if (approvals.filter(isWaiting).length >= MOST_WAITING)
    return { full: `${MOST_WAITING} machines wait for approval, which is the most` };
  const host = asking.host.slice(0, LONGEST_HOST);
  const approval: Approval = { ...asking, host, id, since: now, decision: 'waiting' };
  return { approvals: [...approvals, approval], approval };
}

/** A person's word on a machine that waits, or another word; undefined: there is none of this id. */
export function decide(
  approvals: readonly Approval[],
  id: string,
  decision: 'approved' | 'refused',
): readonly Approval[] | undefined {
  const found = approvals.find((one) => one.id === id);
  if (!found) return undefined;
  const others = approvals.filter((one) => one !== found);
  const decided = [...others.filter((one) => !isWaiting(one)), { ...found, decision }];
  return [...others.filter(isWaiting), ...decided.slice(-MOST_DECIDED)];
}

/** Without those that wait no more. */
export function withoutWaiting(approvals: readonly Approval[], gone: readonly string[]): readonly Approval[] {
  const left = approvals.filter((one) => !isWaiting(one) || !gone.includes(one.id));
  return left.length === approvals.length ? approvals : left;
}

export function isWaiting({ decision }: Approval): boolean {
  return decision === 'waiting';
}

/** 48 bits of the hash of a key. */
export function idOf(key: string): string {
  return sha256(key).slice(0, 12);
}
