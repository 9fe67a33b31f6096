import { expect, test } from 'vitest';
import type { ControlChannel } from '../transport.js';
import { answerInvite, good, invitationOf, type KeptInvitation, makeInvitation, useInvitation } from './invitations.js';

const HOUR = 3600_000;

test('one invites many until it ends; one that is good once invites whoever comes first, who may ask again', () => {
  const many = makeInvitation(1, false, 0);
  const once = makeInvitation(1, true, 0);
  const all = [many, once];
  expect(useInvitation(all, many.id, 'a', HOUR - 1)).toBe(all);
  expect(() => useInvitation(all, many.id, 'a', HOUR)).toThrow(/withdrawn or has expired/);
  for (const id of [undefined, '', 'another']) expect(() => useInvitation(all, id, 'a', 0)).toThrow(/withdrawn/);
  const used = useInvitation(all, once.id, 'a', 0);
  expect(useInvitation(used, once.id, 'a', 0)).toBe(used);
  expect(() => useInvitation(used, once.id, 'b', 0)).toThrow(/for one machine/);
  expect(() => useInvitation([{ ...many, revoked: true }], many.id, 'a', 0)).toThrow(/withdrawn/);
});

test('an id tells a coordinator on another machine what it must know', () => {
  for (const once of [true, false]) {
    const made = makeInvitation(24 * 365, once);
    expect(invitationOf(made.id)).toEqual({ ...made, seed: '' });
  }
  for (const id of [undefined, '', 'x', '0123456789ab', '0123456789ab-', '0123456789ab-zz-twice', '0123456789AB-zz'])
    expect(invitationOf(id), id).toBeUndefined();
});

test('the owner makes, lists and withdraws them; nonsense is refused', async () => {
  let kept: readonly KeptInvitation[] = [];
  let handler: (message: Uint8Array) => Promise<Uint8Array> = async (message) => message;
  const control = {
    answer: (_: string, given: typeof handler) => {
      handler = given;
      return () => {};
    },
  };
  const book = {
    all: () => kept,
    keep: async (all: readonly KeptInvitation[]) => {
      kept = all;
    },
    word: async ({ id }: KeptInvitation) => `word of ${id}`,
  };
  answerInvite(control as unknown as ControlChannel, book);
  const ask = async (content: object) =>
    JSON.parse(new TextDecoder().decode(await handler(new TextEncoder().encode(JSON.stringify(content)))));
  const first = await ask({ hours: 1, once: false });
  expect(first).toEqual({
    ...{ invitation: `word of ${kept[0]!.id}`, id: kept[0]!.id, once: false, used: false },
    expires: new Date(kept[0]!.expires).toISOString(),
  });
  const second = await ask({ hours: 2, once: true });
  expect((await ask({ list: true })).invitations.map(({ id }: { id: string }) => id)).toEqual([first.id, second.id]);
  expect(await ask({ revoke: first.id })).toEqual({ revoked: [first.id] });
  expect(good(kept).map(({ id }) => id)).toEqual([second.id]);
  // It is remembered as withdrawn: who knows only its id must not take it for another's.
  expect(kept).toHaveLength(2);
  await expect(ask({ revoke: first.id })).rejects.toThrow(/no invitation.*--list/);
  expect(await ask({ revoke: 'all' })).toEqual({ revoked: [second.id] });
  expect(await ask({ revoke: 'all' })).toEqual({ revoked: [] });
  for (const wrong of [{}, { hours: -1, once: true }, { hours: 1 }, { list: false }, { revoke: 7 }, []])
    await expect(ask(wrong)).rejects.toThrow(/Expected the hours/);
  for (let i = 0; i < 64; i++) await ask({ hours: 1, once: true });
  await expect(ask({ hours: 1, once: true })).rejects.toThrow(/which is the most/);
});
