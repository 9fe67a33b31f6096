import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCsv } from './csv.js';

describe('parseCsv', () => {
  it('reads quotes, commas, line ends, a byte order mark and empty lines', () => {
    const text = '\uFEFFa, b ,c\r\n"1,5","say ""hi""",\r\n\r\n"two\nlines",x,y\n';
    expect(parseCsv(text)).toEqual({
      columns: ['a', 'b', 'c'],
      rows: [
        ['1,5', 'say "hi"', ''],
        ['two\nlines', 'x', 'y'],
      ],
      lines: [2, 4],
    });
  });

  it('gives back what was written', () => {
    const cell = fc.string().map((s) => s.trim());
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1 }), (rows) => {
        const text = rows.map((row) => row.map((s) => `"${s.replaceAll('"', '""')}"`).join(',')).join('\n');
        const { columns, rows: rest } = parseCsv(text);
        expect([columns, ...rest]).toEqual(rows);
      }),
    );
  });

  it('throws nothing but clear errors on garbage', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseCsv(text);
        } catch (error) {
          expect(error).toMatchObject({ name: 'UsageError' });
        }
      }),
    );
  });

  it('names the line that is wrong', () => {
    expect(() => parseCsv('')).toThrow('The table is empty');
    expect(() => parseCsv('a,b\n1,2\n3\n')).toThrow('Line 3 of the table has 1 cells; its first line names 2');
    expect(() => parseCsv('a,b\n1,"2\n')).toThrow('Line 2 of the table has a quote that does not enclose');
    expect(() => parseCsv('a,b\n1,x"y"\n')).toThrow('Line 2');
  });

  it('survives a quote of megabytes that never ends', () => {
    expect(() => parseCsv(`a\n"${'x""'.repeat(2_000_000)}`)).toThrow('Line 2');
  });
});
