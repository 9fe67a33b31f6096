import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitPair, PairList, sidesOf } from './pair.js';
import { type ChatRow, parseRow } from './row.js';

const row = (value: object): ChatRow => {
  const parsed = parseRow(value);
  if ('fault' in parsed) throw new Error(parsed.fault);
  return parsed;
};
const user = { role: 'user', content: 'Hi' };
const says = (content: string) => ({ role: 'assistant', content });

describe('sidesOf', () => {
  it('takes a prompt beside them, of messages and of texts', () => {
    expect(sidesOf(row({ prompt: [user], chosen: [says('a')], rejected: [says('b')] }))).toMatchObject([
      { messages: [user, says('a')], from: 1 },
      { messages: [user, says('b')], from: 1 },
    ]);
    expect(sidesOf(row({ prompt: 'Say ', chosen: 'a', rejected: 'b' }))).toEqual([
      { prompt: 'Say ', completion: 'a' },
      { prompt: 'Say ', completion: 'b' },
    ]);
  });

  it('finds the prompt that both sides begin with, of messages and of texts', () => {
    const talk = [user, says('Hello'), { role: 'user', content: 'Go on' }];
    expect(sidesOf(row({ chosen: [...talk, says('a')], rejected: [...talk, says('b'), user] }))).toMatchObject([
      { from: 3 },
      { from: 3 },
    ]);
    expect(sidesOf(row({ chosen: 'Q: 1?\nA: ten', rejected: 'Q: 1?\nA: two' }))).toEqual([
      { prompt: 'Q: 1?\nA:', completion: ' ten' },
      { prompt: 'Q: 1?\nA:', completion: ' two' },
    ]);
  });

  it.each([
    [{ messages: [user, says('a')] }, 'expected chosen with rejected'],
    [{ prompt: 'a', chosen: 'b', rejected: 'b' }, 'are equal'],
    [{ chosen: 'b', rejected: [user, says('a')] }, 'both texts or both messages'],
  ])('refuses %j', (value, fault) => {
    expect(sidesOf(row(value))).toMatchObject({ fault: expect.stringContaining(fault) });
  });
});

describe('fitPair', () => {
  const tokens = (prompt: number, answer: number) => ({
    ids: Int32Array.from({ length: 1 + prompt + answer }, (_, i) => (i === 0 ? 7 : i <= prompt ? 100 + i : 200 + i)),
    flags: Uint8Array.from({ length: 1 + prompt + answer }, (_, i) => (i <= prompt ? 0 : 1)),
  });

  it('cuts the same of both prompts, and neither what begins the text nor what ends it', () => {
    fc.assert(
      fc.property(
        fc.nat(9),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(20),
        (p, c, r, longest) => {
          const [chosen, rejected] = [tokens(p, c), tokens(p, r)];
          const fitted = fitPair([chosen, rejected], longest, 7);
          if (1 + Math.max(c, r) > longest) {
            expect(fitted).toBeUndefined();
            return;
          }
          const over = Math.max(0, 1 + p + Math.max(c, r) - longest);
          expect(fitted!.cut).toBe(over > 0);
          for (const [i, { ids, flags }] of [chosen, rejected].entries()) {
            const cut = fitted!.rows[i]!;
            expect([...cut.ids]).toEqual([7, ...ids.slice(1 + over)]);
            expect([...cut.flags]).toEqual([0, ...flags.slice(1 + over)]);
          }
        },
      ),
    );
  });

  it('passes over a pair of which one answer is empty', () => {
    expect(fitPair([tokens(2, 0), tokens(2, 3)], 20, 7)).toBeUndefined();
  });
});

it('gives pairs by number, with what is stored of them', () => {
  const rows = [1, 2, 3, 4].map((id) => ({ ids: Int32Array.of(id), flags: Uint8Array.of(1) }));
  const list = { length: 4, at: (i: number) => rows[i]! };
  expect(new PairList(list).length).toBe(2);
  expect(new PairList(list).at(1)).toEqual({ chosen: rows[2], rejected: rows[3] });
  expect(new PairList(list, Float32Array.of(-1, -2, -3, -4)).at(1).reference).toEqual([-3, -4]);
});
