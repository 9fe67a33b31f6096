import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readObjects } from './read-objects.js';

async function read(text: string | Uint8Array, field = 'text', chunk = 1 << 20) {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  const rows: { text: string; source: string }[] = [];
  for await (const piece of readObjects(chunks(), 'f.json', field)) {
    rows.push({ text: Buffer.from(piece.bytes).toString(), source: piece.source });
  }
  return rows;
}

describe('readObjects', () => {
  it('reads the field of every object', async () => {
    expect(await read('[{"text":"a"}, {"text":null}\n,{"id":[{}],"text":"}]\\""}]\n')).toEqual([
      { text: 'a', source: 'f.json, row 0' },
      { text: '', source: 'f.json, row 1' },
      { text: '}]"', source: 'f.json, row 2' },
    ]);
    expect((await read('\ufeff{\n"text":"a"\n}\n{"text":"b"}')).map(({ text }) => text)).toEqual(['a', 'b']);
  });

  it('does not depend on how the file is cut into pieces or set', async () => {
    const rows = fc.array(fc.record({ text: fc.string(), more: fc.jsonValue() }));
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), fc.nat(3), async (values, chunk, indent) => {
        const texts = values.map(({ text }) => Buffer.from(text).toString());
        const json = JSON.stringify(values, null, indent);
        expect((await read(json, 'text', chunk)).map(({ text }) => text)).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['[{"text":"a"}', /f\.json is not whole: it ends before row 1/],
    ['[{"text":"a"},{"te', /ends within row 1/],
    ['[{"text":"a"},', /ends before row 1/],
    ['[{"text":"a"},]', /expected a JSON object as row 1, got "]"/],
    ['[{"text":"a"},3]', /expected a JSON object as row 1, got "3"/],
    ['[{"text":"a"} {"text":"b"}]', /expected a JSON object as row 1/],
    ['[{"text":"a"}] x', /got "x"/],
    ['[{"text":"a"}][', /got "\["/],
    ['[{"text" "a"}]', /row 0 is not valid JSON/],
    ['[{"body":"a","id":1}]', /row 0 has no field "text"; it has: body, id\. Choose one as field/],
    ['[{"text":1}]', /row 0: the field "text" must hold a string, it holds a number/],
  ])('refuses %s', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('refuses bytes that are not UTF-8', async () => {
    await expect(read(Buffer.concat([Buffer.from('[{"text":"'), Buffer.of(0xff), Buffer.from('"}]')]))).rejects.toThrow(
      /row 0 is not valid JSON/,
    );
  });
});
