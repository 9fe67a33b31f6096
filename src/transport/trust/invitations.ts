import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import type { OrderDesk } from '../orders.js';
import { makeNkey } from './keys.js';

/** What is kept of an invitation, so that it can be told from others, runs out and can be withdrawn. */
export const keptInvitation = z.object({
  /** It stands in the subject of whoever asks by it, where nobody else may ask. */
  id: z.string().regex(/^[\w-]{1,64}$/),
  /** Milliseconds since 1970. */
  expires: z.number(),
  /** Whether one machine alone may come by it. */
  once: z.boolean(),
  /** Whether a person must approve who comes by it. */
  approve: z.boolean().default(false),
  /** The key of whoever came by one that is good once. */
  usedBy: z.string().optional(),
  revoked: z.boolean().optional(),
  /** What proves that one was invited, where the server asks for it. */
  seed: z.string(),
});

export type KeptInvitation = z.output<typeof keptInvitation>;

/** What the owner asks about invitations. */
export const INVITE = 'invite';
/** So many at a time. */
const MOST = 64;
const HOUR = 3600_000;

/** What an invitation is to be like. */
export interface Terms {
  /** Hours for which it is good. */
  readonly hours: number;
  readonly once: boolean;
  readonly approve: boolean;
}

export function makeInvitation({ hours, once, approve }: Terms, now = Date.now()): KeptInvitation {
  const expires = 1000 * Math.floor((now + hours * HOUR) / 1000);
  return { id: randomBytes(6).toString('hex'), expires, once, approve, seed: makeNkey().seed };
}

/**
 * What two who have kept invitations know together: one that either knows to be withdrawn or used is. An old list that
 * is put back so takes nothing away from who remembers more.
 */
export function joinInvitations(
  ours: readonly KeptInvitation[],
  theirs: readonly KeptInvitation[],
): readonly KeptInvitation[] {
  const joined = new Map(ours.map((one) => [one.id, one]));
  for (const other of theirs) {
    const own = joined.get(other.id);
    if (own === undefined) joined.set(other.id, other);
    else {
      const usedBy = own.usedBy ?? other.usedBy;
      const revoked = own.revoked === true || other.revoked === true;
      joined.set(other.id, { ...own, ...(usedBy !== undefined && { usedBy }), ...(revoked && { revoked }) });
    }
  }
  return [...joined.values()];
}

export function unexpired(all: readonly KeptInvitation[], now = Date.now()): KeptInvitation[] {
  return all.filter(({ expires }) => expires > now);
}

/** Those by which one may ask. */
export function good(all: readonly KeptInvitation[], now = Date.now()): KeptInvitation[] {
  return unexpired(all, now).filter(({ revoked }) => revoked !== true);
}

/**
 * The invitation by which the holder of a key asks.
 *
 * @param id undefined of who asks by none
 * @throws MeanfieldError when it was withdrawn, has run out, or another has used it
 */
export function goodFor(
  all: readonly KeptInvitation[],
  id: string | undefined,
  key: string,
  now = Date.now(),
): KeptInvitation {
  const found = good(all, now).find((one) => one.id === id);
  if (!found) throw new MeanfieldError('this invitation was withdrawn or has expired; ask for a new one');
  if (found.once && found.usedBy !== undefined && found.usedBy !== key)
    throw new MeanfieldError('this invitation was for one machine, and another has come by it; ask for a new one');
  return found;
}

/**
 * Marks an invitation as used by the holder of a key, who may ask again by it.
 *
 * @returns what is to be kept: the same list where that changes nothing
 * @throws MeanfieldError as {@link goodFor} does
 */
export function useInvitation(
  all: readonly KeptInvitation[],
  id: string | undefined,
  key: string,
  now = Date.now(),
): readonly KeptInvitation[] {
  const found = goodFor(all, id, key, now);
  if (!found.once || found.usedBy === key) return all;
  return all.map((one) => (one === found ? { ...one, usedBy: key } : one));
}

const order = z.union([
  z.strictObject({ hours: z.number().positive().max(1e6), once: z.boolean(), approve: z.boolean() }),
  z.strictObject({ revoke: z.string().max(64) }),
  z.strictObject({ list: z.literal(true) }),
]);

/** Where invitations are kept, and how they are written as a word. */
export interface InvitationBook {
  all(): readonly KeptInvitation[];
  /** Resolves when the change is in force. */
  keep(all: readonly KeptInvitation[]): Promise<void>;
  word(invitation: KeptInvitation): Promise<string>;
}

/** Answers the owner, who asks for a new invitation, withdraws one or all, or lists them. */
export function answerInvite(desk: OrderDesk, book: InvitationBook): () => void {
  return desk.answer(INVITE, async (content) => {
    const { data } = order.safeParse(content);
    if (!data) throw new MeanfieldError('Expected the hours of an invitation, or which one to withdraw.');
    return obey(data, book);
  });
}

async function obey(asked: z.output<typeof order>, book: InvitationBook): Promise<object> {
  const all = unexpired(book.all());
  const there = good(all);
  if ('hours' in asked) {
    if (there.length >= MOST)
      throw new MeanfieldError(
        `There are ${MOST} invitations, which is the most. Withdraw one: meanfield cluster invite --revoke ID.`,
      );
    const made = makeInvitation(asked);
    const word = await book.word(made);
    await book.keep([...all, made]);
    return { invitation: word, ...shown(made) };
  }
  if ('list' in asked) return { invitations: there.map(shown) };
  const gone = there.filter(({ id }) => asked.revoke === 'all' || id === asked.revoke);
  if (gone.length === 0 && asked.revoke !== 'all')
    throw new MeanfieldError(
      `There is no invitation ${asked.revoke}. Those there are: meanfield cluster invite --list.`,
    );
  await book.keep(all.map((one) => (gone.includes(one) ? { ...one, revoked: true } : one)));
  return { revoked: gone.map(({ id }) => id) };
}

function shown({ id, expires, once, approve, usedBy }: KeptInvitation) {
  return { id, expires: new Date(expires).toISOString(), once, approve, used: usedBy !== undefined };
}
