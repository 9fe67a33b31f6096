import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readParquet } from './read-parquet.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-parquet-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const texts = Array.from({ length: 250 }, (_, i) => (i === 7 ? null : `row ${i} é漢😀`));

function written(options: { codec?: 'SNAPPY' | 'UNCOMPRESSED' } = {}): Uint8Array {
  const columnData = [
    { name: 'id', data: texts.map((_, i) => i), type: 'INT32' as const },
    { name: 'text', data: texts, type: 'STRING' as const, nullable: true },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 100, ...options }));
}

async function read(bytes: Uint8Array, field = 'text') {
  const path = join(folder, 'f.parquet');
  writeFileSync(path, bytes);
  const rows: { text: string; source: string }[] = [];
  for await (const piece of readParquet(path, field)) {
    rows.push({ text: Buffer.from(piece.bytes).toString(), source: piece.source.slice(folder.length + 1) });
  }
  return rows;
}

describe('readParquet', () => {
  it('reads a column over several groups of rows', async () => {
    for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
      const rows = await read(written({ codec }));
      expect(rows.map(({ text }) => text)).toEqual(texts.map((text) => text ?? ''));
      expect(rows[249]?.source).toBe('f.parquet, row 249');
    }
  });

  it('keeps bytes that are not UTF-8', async () => {
    const columnData = [{ name: 'text', data: [Uint8Array.of(0x61, 0xff)], type: 'BYTE_ARRAY' as const }];
    const path = join(folder, 'b.parquet');
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData })));
    const pieces: Uint8Array[] = [];
    for await (const piece of readParquet(path, 'text')) pieces.push(piece.bytes);
    expect(pieces.map((bytes) => [...bytes])).toEqual([[0x61, 0xff]]);
  });

  it('says which columns there are, and that one is not text', async () => {
    await expect(read(written(), 'body')).rejects.toThrow(/has no field "body"; it has: id, text\. Choose one/);
    await expect(read(written(), 'id')).rejects.toThrow(/row 0: the column "id" must hold text, it holds number/);
  });

  it('refuses damaged files', async () => {
    const whole = written();
    const damaged = /f\.parquet is not a whole Parquet file/;
    await expect(read(Buffer.from('no parquet'))).rejects.toThrow(damaged);
    await expect(read(new Uint8Array(0))).rejects.toThrow(damaged);
    await expect(read(whole.subarray(0, whole.length - 100))).rejects.toThrow(damaged);
    const holed = Uint8Array.from(whole).fill(0xff, 4, 2000);
    await expect(read(holed)).rejects.toThrow(damaged);
  });
});
