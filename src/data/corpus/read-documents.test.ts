import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDocuments } from './read-documents.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-read-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function read(paths: string[], field?: string) {
  const documents = readDocuments({ paths, field });
  const texts: string[] = [];
  let parts: Uint8Array[] = [];
  for await (const { bytes, end } of documents) {
    parts.push(bytes);
    if (!end) continue;
    texts.push(Buffer.concat(parts).toString());
    parts = [];
  }
  expect(parts).toEqual([]);
  return { texts, statistics: documents.statistics };
}

describe('readDocuments', () => {
  it('reads files of every kind in a folder', async () => {
    write('a.txt', 'plain');
    write('b.jsonl', '{"text":"one"}\n{"text":""}\n{"text":"two"}\n');
    write('c.ndjson.gz', gzipSync('{"text":"three"}'));
    write('d.md.gz', gzipSync('packed'));
    write(
      'e.parquet',
      new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'text', data: ['four', 'five'], type: 'STRING' }] })),
    );
    write('f/binary.txt', Buffer.from('a\0b'));
    write('f/empty.txt', '');
    write('f/image.png', 'x');
    const { texts, statistics } = await read([folder]);
    expect(texts).toEqual(['plain', 'one', 'two', 'three', 'packed', 'four', 'five']);
    expect(statistics).toEqual({
      files: 5,
      documents: 7,
      bytes: 5 + 3 + 3 + 5 + 6 + 4 + 4,
      empty: 2,
      skippedBinary: 1,
      skippedBinaryFiles: [{ path: join(folder, 'f', 'binary.txt'), reason: 'it has a NUL byte at 1' }],
      skippedOther: 1,
      skippedRuns: [],
      remarks: [],
      skippedLinks: 0,
      skippedLinkFiles: [],
    });
  });

  it('gives a large file in pieces that are its bytes', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefg ü ');
    const path = write('large', large);
    let pieces = 0;
    for await (const piece of readDocuments({ paths: [path] })) {
      pieces++;
      expect(piece.source).toBe(path);
    }
    expect(pieces).toBeGreaterThan(5);
    const { texts } = await read([path]);
    expect(texts.length).toBe(1);
    expect(texts[0] === large.toString()).toBe(true);
  });

  it('keeps invalid UTF-8 as it is', async () => {
    const path = write('latin.txt', Buffer.from('Größe', 'latin1'));
    for await (const { bytes } of readDocuments({ paths: [path] })) expect([...bytes]).toContain(0xf6);
  });

  it.each([
    ['an empty file', 'e.txt', '', /e\.txt is empty/],
    ['a file of empty rows', 'e.jsonl', '{"text":""}\n', /e\.jsonl is empty/],
    ['a binary file', 'b.txt', 'a\0', /b\.txt is not a text file: it has a NUL byte at 1/],
    ['Parquet through gzip', 'p.parquet.gz', 'x', /unpack it/],
    ['gzip that holds nothing', 'n.txt.gz', gzipSync(''), /n\.txt\.gz is empty/],
    ['gzip that holds no text', 'n.txt.gz', gzipSync('a\0'), /n\.txt\.gz is not a text file/],
  ])('refuses %s that was named', async (_, name, content, message) => {
    await expect(read([write(name, content)])).rejects.toThrow(message);
  });

  it('refuses a folder with nothing to read, and rows without the field', async () => {
    write('x/a.txt', '');
    write('x/b.txt', 'a\0');
    await expect(read([join(folder, 'x')])).rejects.toThrow(/No text in .*: 1 empty, 1 binary/);
    await expect(read([write('j.jsonl', '{"body":"x"}')])).rejects.toThrow(
      /j\.jsonl:1 has no field "text"; it has: body/,
    );
    expect((await read([join(folder, 'j.jsonl')], 'body')).texts).toEqual(['x']);
  });
});
