import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import type { ControlChannel } from '../transport.js';
import { makeNkey } from './keys.js';

const ID = /^[0-9a-f]{12}-([0-9a-z]{1,9})(-once)?$/;

/** What is kept of an invitation, so that it can be told from others, runs out and can be withdrawn. */
export const keptInvitation = z.object({
  /**
   * It stands in the subject of whoever asks by it, where nobody else may ask. It tells when the invitation ends and
   * whether it is good once, so that a coordinator on another machine knows it too.
   */
  id: z.string().regex(ID),
  /** Milliseconds since 1970. */
  expires: z.number(),
  /** Whether one machine alone may come by it. */
  once: z.boolean(),
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

/** @param hours for which it is good */
export function makeInvitation(hours: number, once: boolean, now = Date.now()): KeptInvitation {
  const seconds = Math.floor((now + hours * HOUR) / 1000);
  const id = `${randomBytes(6).toString('hex')}-${seconds.toString(36)}${once ? '-once' : ''}`;
  return { id, expires: seconds * 1000, once, seed: makeNkey().seed };
}

/** What an id tells of an invitation that another has made, whose server vouches for who asks by it. */
export function invitationOf(id: string | undefined): KeptInvitation | undefined {
  const found = ID.exec(id ?? '');
  if (!found) return undefined;
  return { id: id!, expires: Number.parseInt(found[1]!, 36) * 1000, once: found[2] !== undefined, seed: '' };
}

export function unexpired(all: readonly KeptInvitation[], now = Date.now()): KeptInvitation[] {
  return all.filter(({ expires }) => expires > now);
}

/** Those by which one may ask. */
export function good(all: readonly KeptInvitation[], now = Date.now()): KeptInvitation[] {
  return unexpired(all, now).filter(({ revoked }) => revoked !== true);
}

/**
 * Marks an invitation as used by the holder of a key, who may ask again by it.
 *
 * @param id undefined of who asks by none
 * @returns what is to be kept: the same list where that changes nothing
 * @throws MeanfieldError when it was withdrawn, has run out, or another has used it
 */
export function useInvitation(
  all: readonly KeptInvitation[],
  id: string | undefined,
  key: string,
  now = Date.now(),
): readonly KeptInvitation[] {
  const found = good(all, now).find((one) => one.id === id);
  if (!found) throw new MeanfieldError('this invitation was withdrawn or has expired; ask for a new one');
  if (!found.once || found.usedBy === key) return all;
  if (found.usedBy !== undefined)
    throw new MeanfieldError('this invitation was for one machine, and another has come by it; ask for a new one');
  return all.map((one) => (one === found ? { ...one, usedBy: key } : one));
}

const order = z.union([
  z.strictObject({ hours: z.number().positive().max(1e6), once: z.boolean() }),
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
export function answerInvite(control: ControlChannel, book: InvitationBook): () => void {
  return control.answer(INVITE, async (message) => {
    const { data } = order.safeParse(JSON.parse(new TextDecoder().decode(message)));
    if (!data) throw new MeanfieldError('Expected the hours of an invitation, or which one to withdraw.');
    return new TextEncoder().encode(JSON.stringify(await obey(data, book)));
  });
}

async function obey(asked: z.output<typeof order>, book: InvitationBook): Promise<object> {
  const all = unexpired(book.all());
  const there = good(all);
  if ('hours' in asked) {
    if (there.length >= MOST)
      throw new MeanfieldError(`There are ${MOST} invitations, which is the most. Withdraw one: --revoke ID.`);
    const made = makeInvitation(asked.hours, asked.once);
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

function shown({ id, expires, once, usedBy }: KeptInvitation) {
  return { id, expires: new Date(expires).toISOString(), once, used: usedBy !== undefined };
}
