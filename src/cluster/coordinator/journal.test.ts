import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sha256 } from '../../base/hash.js';
import { firstState } from './coordinator.test-support.js';
import { Journal } from './journal.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-journal-'));
afterAll(() => rm(folder, { recursive: true }));
const state = firstState();
const parts = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(4)];
const hashes = parts.map(sha256);

it('keeps commits until a checkpoint has them', async () => {
  const journal = new Journal(join(folder, 'a'));
  expect(await journal.rounds()).toEqual([]);
  for (const round of [9, 10, 11]) await journal.write({ round, fragment: 1, parts, hashes, state });
  expect(await journal.rounds()).toEqual([9, 10, 11]);
  const entry = await journal.read(10);
  expect(entry).toMatchObject({ round: 10, fragment: 1, state });
  expect(entry.parts.map((part) => [...part])).toEqual([[1, 2, 3], [], [4]]);
  await journal.trim(10);
  expect(await journal.rounds()).toEqual([11]);
});

it('refuses every commit that is not as it was written', async () => {
  const journal = new Journal(join(folder, 'b'));
  await journal.write({ round: 1, fragment: 0, parts, hashes, state });
  const path = join(folder, 'b', '000000001.commit');
  const whole = await readFile(path);
  for (const damaged of [
    whole.subarray(0, 3),
    whole.subarray(0, whole.length - 1),
    Buffer.concat([whole, Buffer.of(0)]),
    ...[0, 5, 11, 20, whole.length - 1].map((i) => Buffer.from(whole.map((byte, at) => (at === i ? byte ^ 1 : byte)))),
  ]) {
    await writeFile(path, damaged);
    await expect(journal.read(1)).rejects.toThrow('The commit of round 1 in');
  }
  await writeFile(join(folder, 'b', '000000002.commit'), whole);
  await expect(journal.read(2)).rejects.toThrow('not that of round 2');
  await expect(journal.read(3)).rejects.toThrow('The commit of round 3');
});
