import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJsonLines } from './read-jsonl.js';
import { noField } from './row-text.js';

async function read(
  text: string | Uint8Array,
  field = 'text',
  chunk = 1 << 20,
): Promise<{ text: string; source: string }[]> {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  const rows: { text: string; source: string }[] = [];
  for await (const piece of readJsonLines(chunks(), 'f.jsonl', field)) {
    expect(piece.end).toBe(true);
    rows.push({ text: Buffer.from(piece.bytes).toString(), source: piece.source });
  }
  return rows;
}

describe('readJsonLines', () => {
  it('reads the field of every line', async () => {
    const rows = await read('{"text":"a\\nb"}\r\n\n {"id":1,"text":"ü"} \n{"text":""}');
    expect(rows).toEqual([
      { text: 'a\nb', source: 'f.jsonl:1' },
      { text: 'ü', source: 'f.jsonl:3' },
      { text: '', source: 'f.jsonl:4' },
    ]);
    expect(await read('\ufeff{"body":"x"}\n', 'body')).toEqual([{ text: 'x', source: 'f.jsonl:1' }]);
    // As a row without a value in Parquet.
    expect(await read('{"text":null}')).toEqual([{ text: '', source: 'f.jsonl:1' }]);
    expect(await read('{"text":"\\ud800"}')).toEqual([{ text: '\ufffd', source: 'f.jsonl:1' }]);
  });

  it('does not depend on how the file is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string()), fc.integer({ min: 1, max: 9 }), async (texts, chunk) => {
        const lines = texts.map((text) => `${JSON.stringify({ text })}\n`).join('');
        expect(await read(lines, 'text', chunk)).toEqual(await read(lines));
        expect((await read(lines)).map(({ text }) => text)).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['damaged JSON', '{"text":"a"}\n{"text":', /f\.jsonl:2 is not valid JSON/],
    ['no such field', '{"id":1,"body":"x"}', /f\.jsonl:1 has no field "text"; it has: id, body\. Choose one as field/],
    ['an inherited name', '{"id":1}', /has no field/],
    ['another type', '{"text":["a"]}', /f\.jsonl:1: the field "text" must hold a string, it holds an array/],
    ['an array', '[1]', /expected a JSON object with a field "text", got an array/],
    ['a number', '7', /got a number/],
  ])('refuses %s', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('refuses bytes that are not UTF-8, and a name that only the prototype has', async () => {
    await expect(read(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).rejects.toThrow(/f\.jsonl:1 is not UTF-8/);
    await expect(read('{"a":1}', 'toString')).rejects.toThrow(/has no field "toString"/);
  });
});

it('noField lists at most thirty names', () => {
  const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
  expect(noField('f', 'x', names)).toMatch(/n29, \.\.\. \(40\)\./);
  expect(noField('f', 'x', [])).toMatch(/it has: none\./);
});
