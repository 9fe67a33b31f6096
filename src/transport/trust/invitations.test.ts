import { expect, test } from 'vitest';
import type { OrderDesk } from '../orders.js';
import {
  answerInvite,
  good,
  goodFor,
  joinInvitations,
  type KeptInvitation,
  makeInvitation,
  useInvitation,
} from './invitations.js';

const HOUR = 3600_000;

test('one invites many until it ends; one that is good once invites whoever comes first, who may ask again', () => {
  const many = makeInvitation({ hours: 1, once: false, approve: false }, 0);
  const once = makeInvitation({ hours: 1, once: true, approve: true }, 0);
  const all = [many, once];
  expect(useInvitation(all, many.id, 'a', HOUR - 1)).toBe(all);
  expect(() => useInvitation(all, many.id, 'a', HOUR)).toThrow(/withdrawn or has expired/);
  for (const id of [undefined, '', 'another']) expect(() => useInvitation(all, id, 'a', 0)).toThrow(/withdrawn/);
  expect([many, once].map(({ id }) => goodFor(all, id, 'a', 0).approve)).toEqual([false, true]);
  const used = useInvitation(all, once.id, 'a', 0);
  expect(useInvitation(used, once.id, 'a', 0)).toBe(used);
  expect(() => useInvitation(used, once.id, 'b', 0)).toThrow(/for one machine/);
  expect(() => useInvitation([{ ...many, revoked: true }], many.id, 'a', 0)).toThrow(/withdrawn/);
});

test('two who have kept invitations know together what either knows', () => {
  const [a, b, c] = [1, 2, 3].map((hours) => makeInvitation({ hours, once: true, approve: false }, 0)) as [
    KeptInvitation,
    KeptInvitation,
    KeptInvitation,
  ];
  const used = { ...a, usedBy: 'k' };
  const revoked = { ...b, revoked: true };
  expect(joinInvitations([a, revoked], [used, b, c])).toEqual([used, revoked, c]);
  expect(joinInvitations([used, b], [a, revoked])).toEqual([used, revoked]);
  expect(joinInvitations([used], [{ ...a, usedBy: 'other', seed: '' }])).toEqual([used]);
  expect(joinInvitations([], [a])).toEqual([a]);
});

test('the owner makes, lists and withdraws them; nonsense is refused', async () => {
  let kept: readonly KeptInvitation[] = [];
  let handler: (content: unknown) => Promise<unknown> = async (content) => content;
  const desk = {
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
  answerInvite(desk as unknown as OrderDesk, book);
  // biome-ignore lint/suspicious/noExplicitAny: answers of several kinds
  const ask = (content: object): Promise<any> => handler(content);
  const first = await ask({ hours: 1, once: false, approve: true });
  expect(first).toEqual({
    ...{ invitation: `word of ${kept[0]!.id}`, id: kept[0]!.id, once: false, approve: true, used: false },
    expires: new Date(kept[0]!.expires).toISOString(),
  });
  const second = await ask({ hours: 2, once: true, approve: false });
  expect((await ask({ list: true })).invitations.map(({ id }: { id: string }) => id)).toEqual([first.id, second.id]);
  expect(await ask({ revoke: first.id })).toEqual({ revoked: [first.id] });
  expect(good(kept).map(({ id }) => id)).toEqual([second.id]);
  // It is remembered as withdrawn: who knows only its id must not take it for another's.
  expect(kept).toHaveLength(2);
  await expect(ask({ revoke: first.id })).rejects.toThrow(/no invitation.*--list/);
  expect(await ask({ revoke: 'all' })).toEqual({ revoked: [second.id] });
  expect(await ask({ revoke: 'all' })).toEqual({ revoked: [] });
  for (const wrong of [
    {},
    { hours: -1, once: true, approve: true },
    { hours: 1, once: true },
    { list: false },
    { revoke: 7 },
    [],
  ])
    await expect(ask(wrong)).rejects.toThrow(/Expected the hours/);
  for (let i = 0; i < 64; i++) await ask({ hours: 1, once: true, approve: false });
  await expect(ask({ hours: 1, once: true, approve: false })).rejects.toThrow(/which is the most/);
});
