import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TensorBoardWriter } from './tensorboard.js';

const fixtures = new URL('../../test/fixtures/tensorboard/', import.meta.url).pathname;
const now = () => 1700000000250;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorboard-'));
});
afterEach(() => rm(folder, { recursive: true }));

const files = async () => (await readdir(folder)).sort().map((name) => join(folder, name));

/** A run of three points that is resumed from step 1. */
async function writeRun(): Promise<void> {
  const first = await TensorBoardWriter.open(folder, { now });
  first.scalars(0, { loss: 4.25 });
  first.scalars(1, { loss: 3.1, 'größe/läge': -0 });
  first.scalars(2, { loss: 2.1 });
  first.scalars(2 ** 40, { loss: 1e300, zero: 0 });
  await first.close();
  const resumed = await TensorBoardWriter.open(folder, { now, resumeAfter: 1 });
  resumed.scalars(2, { loss: 1.5 });
  await resumed.sync();
  await resumed.close();
}

test("the bytes are those of TensorBoard's own writer", async () => {
  await writeRun();
  const written = await files();
  expect(written).toHaveLength(2);
  for (const [i, name] of ['first', 'resumed'].entries()) {
    expect((await readFile(written[i]!)).toString('hex')).toBe(
      readFileSync(join(fixtures, `${name}.tfevents`)).toString('hex'),
    );
  }
});

test('files of one second have names in the order of their making', async () => {
  for (let i = 0; i < 3; i++) await (await TensorBoardWriter.open(folder, { now })).close();
  const seconds = (await files()).map((path) => /tfevents\.(\d+)\./.exec(path)![1]);
  expect(seconds).toEqual(['1700000000', '1700000001', '1700000002']);
});

test('a file has its first record as soon as it is open', async () => {
  const writer = await TensorBoardWriter.open(folder, { now });
  expect((await readFile((await files())[0]!)).includes('brain.Event:2')).toBe(true);
  await writer.close();
});

const python = process.env.MEANFIELD_PYTHON;
test.skipIf(!python)('TensorBoard reads the curves of a resumed run (MEANFIELD_PYTHON with tensorboard)', async () => {
  await writeRun();
  // A killed process leaves the last record of its file torn.
  await appendFile((await files())[0]!, Buffer.of(40, 0, 0, 0));
  const curves = JSON.parse(execFileSync(python!, [join(fixtures, 'read.py'), folder], { encoding: 'utf8' }));
  const time = now() / 1000;
  expect(curves.loss).toEqual([
    [0, 4.25, time],
    [1, Math.fround(3.1), time],
    [2, 1.5, time],
  ]);
  expect(curves['größe/läge']).toEqual([[1, -0, time]]);
});
