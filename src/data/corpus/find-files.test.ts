import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bareName, findFiles } from './find-files.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-find-'));
  for (const name of [
    'b.txt',
    'a.md',
    'A.TXT',
    'z.jsonl.gz',
    'image.png',
    '.hidden.txt',
    'c/d.txt',
    'c/.git/x.txt',
    'node_modules/x.txt',
  ]) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
  symlinkSync(folder, join(folder, 'c', 'loop'));
  symlinkSync(join(folder, 'b.txt'), join(folder, 'link.txt'));
  symlinkSync(join(folder, 'nowhere'), join(folder, 'broken.txt'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('finds text files by extension, sorted by name, and counts the others', async () => {
  const { files, skippedOther } = await findFiles({ paths: [folder] });
  const names = files.map(({ path }) => path.slice(folder.length + 1));
  expect(names).toEqual(['A.TXT', 'a.md', 'b.txt', join('c', 'd.txt'), 'link.txt', 'z.jsonl.gz']);
  expect(files.every(({ named }) => !named)).toBe(true);
  expect(files[0]).toMatchObject({ size: 5 });
  // The image, the broken link and the link to a folder.
  expect(skippedOther).toBe(3);
});

it('passes over links that lead out of the folder, but for those that are named', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'meanfield-outside-'));
  const inside = join(outside, 'corpus');
  mkdirSync(join(inside, 'deep'), { recursive: true });
  mkdirSync(join(outside, 'corpus-2'));
  for (const name of ['secret.txt', 'corpus/own.txt', 'corpus-2/near.txt', 'corpus/..odd.md', 'corpus/odd.md'])
    writeFileSync(join(outside, name), 'text');
  symlinkSync(join(outside, 'secret.txt'), join(inside, 'a.txt'));
  symlinkSync('../../secret.txt', join(inside, 'deep', 'b.txt'));
  symlinkSync('../corpus-2/near.txt', join(inside, 'c.txt'));
  symlinkSync('a.txt', join(inside, 'chain.txt'));
  symlinkSync('../own.txt', join(inside, 'deep', 'own.txt'));
  symlinkSync(inside, join(outside, 'through'));
  try {
    const { files, skippedLinks, skippedLinkFiles } = await findFiles({ paths: [join(outside, 'through')] });
    const names = ['odd.md', 'own.txt', 'deep/own.txt'].map((name) => join(outside, 'through', name));
    expect(files.map(({ path }) => path).sort()).toEqual(names.sort());
    expect([skippedLinks, skippedLinkFiles.length]).toEqual([4, 3]);
    const named = await findFiles({ paths: [join(inside, 'a.txt')] });
    expect(named.files).toHaveLength(1);
  } finally {
    rmSync(outside, { recursive: true });
  }
});

it('passes over the folders of runs and those excepted, and refuses a run that is named', async () => {
  const corpus = mkdtempSync(join(tmpdir(), 'meanfield-runs-'));
  for (const name of ['a.txt', 'runs/old/metrics.jsonl', 'runs/new/metrics.jsonl', 'made/run.json', 'made/b.txt']) {
    mkdirSync(join(corpus, name, '..'), { recursive: true });
    writeFileSync(join(corpus, name), '{"type":"progress"}\n');
  }
  for (const run of ['old', 'new']) {
    writeFileSync(join(corpus, 'runs', run, 'run.json'), JSON.stringify({ format: 'meanfield-run' }, null, 2));
  }
  try {
    const { files, skippedRuns } = await findFiles({ paths: [corpus], except: [join(corpus, 'runs', 'new')] });
    expect(files.map(({ path }) => path.slice(corpus.length + 1))).toEqual([
      'a.txt',
      join('made', 'b.txt'),
      join('made', 'run.json'),
    ]);
    expect(skippedRuns).toEqual([join(corpus, 'runs', 'old')]);
    await expect(findFiles({ paths: [join(corpus, 'runs', 'old')] })).rejects.toThrow(
      /is the folder of a run.*`resume: true`/,
    );
  } finally {
    rmSync(corpus, { recursive: true });
  }
});

it('says what is wrong with a path', async () => {
  await expect(findFiles({ paths: [join(folder, 'n'.repeat(300))] })).rejects.toThrow(
    /name has 300 bytes.*at most 255/,
  );
  await expect(findFiles({ paths: [join(folder, 'a.md', 'x')] })).rejects.toThrow(/is a file, not a folder/);
});

it('takes named files whatever their extension, in the order given', async () => {
  const paths = [join(folder, 'image.png'), join(folder, 'a.md')];
  const { files } = await findFiles({ paths });
  expect(files.map(({ path, named }) => [path, named])).toEqual(paths.map((path) => [path, true]));
});

it('takes other extensions when told', async () => {
  const { files } = await findFiles({ paths: [folder], extensions: ['.png'] });
  expect(files.map(({ path }) => path)).toEqual([join(folder, 'image.png')]);
});

it('says what is missing', async () => {
  await expect(findFiles({ paths: [join(folder, 'none.txt')] })).rejects.toThrow(
    /There is no file or folder .*none\.txt/,
  );
  await expect(findFiles({ paths: [] })).rejects.toThrow(/name at least one file/);
  await expect(findFiles({ paths: [join(folder, 'c')], extensions: ['.csv'] })).rejects.toThrow(
    /No text files in .*\.csv/,
  );
  await expect(findFiles({ paths: ['/dev/null'] })).rejects.toThrow(/neither a file nor a folder/);
});

it('bareName drops .gz and case', () => {
  expect(bareName('X/A.JSONL.GZ')).toBe('x/a.jsonl');
});
