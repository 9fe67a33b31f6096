import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseScaleOptions } from './options.js';
import { LadderFolder, readScaleRecord } from './record.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-ladder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const first = { options: parseScaleOptions({ corpus: ['book.txt'], steps: 40 }), corpus: ['/book.txt'] };
const job = { loss: 2.5, seconds: 3 };

describe('LadderFolder', () => {
  it('keeps what is done, however its writes overlap', async () => {
    const ladder = await LadderFolder.open(folder, first, false);
    await Promise.all([
      ladder.change({ results: { ...ladder.record.results, a: job } }),
      ladder.change({ results: { ...ladder.record.results, b: { loss: null, seconds: 0 } } }),
    ]);
    await ladder.release();
    const again = await LadderFolder.open(folder, undefined, false);
    expect(again.record.results).toEqual({ a: job, b: { loss: null, seconds: 0 } });
    await again.change({ results: { ...again.record.results, b: job } });
    await again.release();
    expect((await readScaleRecord(folder)).results).toEqual({ a: job, b: job });
    expect(await readdir(folder)).toEqual(['scale.json']);
  });

  it('refuses a second process, another ladder in its place, and a folder of something else', async () => {
    const ladder = await LadderFolder.open(folder, first, false);
    await expect(LadderFolder.open(folder, undefined, false)).rejects.toThrow('is in use by process');
    await ladder.release();
    await expect(LadderFolder.open(folder, first, false)).rejects.toThrow('Go on with it by `resume: true`');
    await expect(LadderFolder.open(join(folder, 'other'), undefined, false)).rejects.toThrow('no ladder to go on with');
    await rm(join(folder, 'scale.json'));
    await writeFile(join(folder, 'letter.txt'), '');
    await expect(LadderFolder.open(folder, first, false)).rejects.toThrow('not empty (letter.txt)');
    await expect(LadderFolder.open(join(folder, 'letter.txt'), first, false)).rejects.toThrow('is a file');
  });
});

describe('readScaleRecord', () => {
  it.each([
    ['', 'expected JSON'],
    ['[]', 'expected object'],
    ['{"format":"other"}', 'is damaged'],
  ])('refuses %j', async (content, message) => {
    await writeFile(join(folder, 'scale.json'), content);
    await expect(readScaleRecord(folder)).rejects.toThrow(message);
  });

  it.each([
    ['a loss below nothing', { results: { a: { loss: -1, seconds: 1 } } }],
    ['a loss of text', { results: { a: { loss: '2', seconds: 1 } } }],
    ['no corpus', { corpus: [] }],
    ['a speed of nothing', { speed: { overhead: 0, fixed: 0, perParameter: 0 } }],
    ['steps that are none', { shortest: 1.5 }],
    ['what it does not know', { more: 1 }],
    ['options that are none', { options: { steps: 'many' } }],
  ])('refuses %s', async (_, changes) => {
    const ladder = await LadderFolder.open(folder, first, false);
    await ladder.release();
    const content = JSON.parse(await readFile(join(folder, 'scale.json'), 'utf8'));
    await writeFile(join(folder, 'scale.json'), JSON.stringify({ ...content, ...changes }));
    await expect(readScaleRecord(folder)).rejects.toThrow(/scale\.json is damaged: .*Restore it from a copy/);
  });
});
