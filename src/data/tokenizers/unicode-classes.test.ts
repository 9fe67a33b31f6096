import { expect, it } from 'vitest';
import { LETTER, NUMBER, OTHER, SPACE, unicodeClasses } from './unicode-classes.js';

it('agrees with the classes of known characters', () => {
  const of = (text: string) => Array.from(text, (c) => unicodeClasses()[c.codePointAt(0)!]);
  expect(of('azAZäßжδעअ漢한𝔸')).toEqual(Array(13).fill(LETTER));
  expect(of('09½²Ⅷ٣')).toEqual(Array(6).fill(NUMBER));
  expect(of(' \t\n\v\f\r\x85\u00a0\u1680\u2003\u2028\u202f\u3000')).toEqual(Array(13).fill(SPACE));
  expect(of('!_~€😀\0\u200b\ufeff\u0301\u{10ffff}')).toEqual(Array(10).fill(OTHER));
});

it('differs from the classes of this Node.js at most where their Unicode versions do', () => {
  const classes = unicodeClasses();
  const differing: number[] = [];
  for (let point = 0; point < 0x110000; point++) {
    const c = String.fromCodePoint(point);
    const here = /\p{L}/u.test(c) ? LETTER : /\p{N}/u.test(c) ? NUMBER : /\p{White_Space}/u.test(c) ? SPACE : OTHER;
    if (classes[point] !== here) differing.push(point);
  }
  // What one version assigned and the other does not know yet; none of it is in Latin, Greek, Cyrillic or CJK.
  expect(differing.every((point) => point > 0x500)).toBe(true);
  expect(differing.length).toBeLessThan(12_000);
});
