import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toBytes } from './utf8.js';
import { grown, WordTable } from './word-table.js';

it('numbers words in the order in which they come, like a map', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 4 }), { maxLength: 200 }), (words) => {
      const table = new WordTable();
      const map = new Map<string, number>();
      for (const text of words) {
        if (!map.has(text)) map.set(text, map.size);
        const bytes = toBytes(`<${text}>`);
        expect(table.add(bytes, 1, bytes.length - 1)).toBe(map.get(text));
      }
      for (const [text, index] of map) expect(Buffer.from(table.word(index)).toString()).toBe(text);
      expect(table.size).toBe(map.size);
    }),
  );
});

it('grows far beyond its first size and can start over', () => {
  const table = new WordTable();
  const add = (i: number) => table.add(toBytes(String(i)), 0, String(i).length);
  for (let i = 0; i < 50_000; i++) expect(add(i)).toBe(i);
  for (let i = 0; i < 50_000; i += 97) expect(add(i)).toBe(i);
  expect(Buffer.from(table.word(49_999)).toString()).toBe('49999');
  expect(table.byteLength).toBe(Array.from({ length: 50_000 }, (_, i) => String(i)).join('').length);
  table.clear();
  expect([table.size, add(7), add(8), add(7)]).toEqual([0, 0, 1, 0]);
});

it('grown keeps the content and the kind', () => {
  expect(grown(Int32Array.of(1, -2), 4)).toEqual(Int32Array.of(1, -2, 0, 0));
});
