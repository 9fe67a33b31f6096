import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RowFile, type TokenRow, writeRows } from './row-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-rows-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function* each(rows: readonly TokenRow[]): AsyncGenerator<TokenRow> {
  yield* rows;
}

it('gives rows back as they were written, whatever their tokens and flags', async () => {
  const token = fc.record({ id: fc.integer({ min: 0, max: 2 ** 31 - 1 }), learned: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(token, { minLength: 1 }), { minLength: 1 }), async (all) => {
      const rows = all.map((row) => ({
        ids: Int32Array.from(row, ({ id }) => id),
        flags: Uint8Array.from(row, ({ learned }) => Number(learned)),
      }));
      const file = await RowFile.open(folder, 'train', await writeRows(folder, 'train', each(rows)));
      expect(rows.map((_, i) => file.at(i))).toEqual(rows);
      file.close();
    }),
    { numRuns: 30 },
  );
});

it('refuses what is no token, with its place, and leaves nothing behind', async () => {
  const flags = Uint8Array.of(0, 1, 1);
  const rows = [
    { ids: Int32Array.of(3, 4, 5), flags },
    { ids: Int32Array.of(3, -1, 5), flags },
  ];
  await expect(writeRows(folder, 'held', each(rows))).rejects.toThrow(
    'Row 2 of the held part has no token at place 2 of 3 (-1): the tokenizer does not know what stands there.',
  );
  expect((await readdir(folder)).filter((name) => name.startsWith('held'))).toEqual([]);
});
