import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCsv } from './csv.js';

describe('readCsv', () => {
  it('reads quotes, doubled quotes, line breaks in quotes, CR LF, a byte order mark and short rows', () => {
    const { columns, rows } = readCsv('\ufeffa, b ,c\r\n1,"x, ""y""\nz",3\r\n\r\n4\r\n');
    expect(columns).toEqual(['a', 'b', 'c']);
    expect(rows.map((row) => [...row.values()])).toEqual([
      ['1', 'x, "y"\nz', '3'],
      ['4', '', ''],
    ]);
  });

  it.each([
    ['', /table is empty/],
    ['a,b,a\n1,2,3', /column "a" twice/],
    ['a,b\n1,"2\n3,4', /quote opened in line 2 is never closed/],
    ['a,b\n1,2\n1,2,3', /Line 3 has 3 cells, the header 2/],
  ])('refuses %j', (text, message) => {
    expect(() => readCsv(text)).toThrow(message);
  });

  it('keeps names that objects have of themselves', () => {
    const { rows } = readCsv('__proto__,constructor\n1,2');
    expect([rows[0]!.get('__proto__'), rows[0]!.get('constructor'), rows[0]!.get('toString')]).toEqual([
      '1',
      '2',
      undefined,
    ]);
  });

  it('gives back any cells that were quoted', () => {
    const cell = fc.string().map((text) => text.trim());
    fc.assert(
      fc.property(fc.array(cell, { minLength: 2, maxLength: 4 }), (cells) => {
        const header = cells.map((_, i) => `c${i}`).join(',');
        const line = cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
        expect([...readCsv(`${header}\n${line}`).rows[0]!.values()]).toEqual(cells);
      }),
    );
  });
});
