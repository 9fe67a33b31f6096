import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { END_OF_TEXT } from '../tokenizers/tokenizer-files.js';
import { type Dataset, openDataset } from './open.js';
import { OtherTextError, type PrepareOptions, type PrepareProgress, prepareDataset } from './prepare.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-prepare-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const data = () => join(folder, 'data');
const write = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const prepare = (path: string, options: Partial<PrepareOptions> = {}) =>
  prepareDataset({ paths: [path], tokenizer: 'bytes', folder: data(), ...options });
const text = ({ tokenizer, train, validation }: Dataset) => ({
  train: tokenizer.decode(train.read(0, train.length)),
  validation: tokenizer.decode(validation.read(0, validation.length)),
});

const long = Array.from({ length: 3000 }, (_, i) => `word${(i * 7919) % 101} é漢😀\n`).join('');

describe('prepareDataset', () => {
  it.each(['chars', 'bytes', 'bpe'] as const)(
    'keeps all of a text as %s, its end for validation',
    async (tokenizer) => {
      const dataset = await prepare(write('a.txt', long), { tokenizer, vocabularySize: 300, shardTokens: 1000 });
      const parts = text(dataset);
      expect(parts.train + parts.validation === long).toBe(true);
      const share = Buffer.byteLength(parts.validation) / Buffer.byteLength(long);
      expect(Math.abs(share - 0.1)).toBeLessThan(0.001);
      expect(dataset.tokenizer.kind).toBe(tokenizer);
      expect(dataset.statistics).toMatchObject({ files: 1, documents: 1, bytes: Buffer.byteLength(long) });
    },
  );

  it('holds out a file of its own, whole, and leaves it out of the folder that it lies in', async () => {
    for (const name of ['a', 'b']) write(`${name}.txt`, `${name} is learned from. `);
    const heldOut = write('held.txt', 'This is held out.');
    const dataset = await prepare(folder, { heldOut });
    expect(text(dataset)).toEqual({ train: 'a is learned from. b is learned from. ', validation: 'This is held out.' });
    expect(dataset.statistics).toMatchObject({ files: 3, documents: 3, bytes: 55 });
    expect((await prepare(folder, { heldOut })).reused).toBe(true);
    // The same documents in the same order, parted elsewhere, are another data set.
    const other = await prepare(join(folder, 'a.txt'), {
      heldOut: write('rest.jsonl', '{"text":"b is learned from. "}\n{"text":"This is held out."}\n'),
    });
    expect(other.fingerprint).not.toBe(dataset.fingerprint);
    expect(text(other).validation).toBe('b is learned from. This is held out.');
  });

  it('deals out many documents whole, with a token between them for bpe', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `Row ${i}.`);
    const path = write('a.jsonl', rows.map((row) => `${JSON.stringify({ body: row })}\n`).join(''));
    const options = { field: 'body', validationFraction: 0.25 };
    const bpe = text(await prepare(path, { ...options, tokenizer: 'bpe', vocabularySize: 280 }));
    const [train, validation] = [bpe.train.split(END_OF_TEXT), bpe.validation.split(END_OF_TEXT)];
    expect([...train, ...validation].sort()).toEqual([...rows].sort());
    expect(validation.length).toBeGreaterThan(25);
    expect(validation.length).toBeLessThan(75);
    const bytes = text(await prepare(path, options));
    expect(bytes).toEqual({ train: train.join(''), validation: validation.join('') });
  });

  it('learns bpe from the training part alone, and chars from all', async () => {
    const path = write('a.txt', `${'aaaa '.repeat(200)}${'zzzz'.repeat(25)}`);
    const bpe = await prepare(path, { tokenizer: 'bpe', vocabularySize: 270 });
    expect(bpe.tokenizer.encode('aaaa').length).toBeLessThan(3);
    expect(bpe.tokenizer.encode('zzzz').length).toBe(4);
    expect((await prepare(path, { tokenizer: 'chars' })).tokenizer.vocabularySize).toBe(3);
  });

  it('stops on a signal in any phase, and leaves no data set', async () => {
    const path = write('a.txt', long.repeat(20));
    for (const stage of ['reading', 'counting', 'merging', 'encoding'] as const) {
      const controller = new AbortController();
      const onProgress = ({ phase }: PrepareProgress) => phase === stage && controller.abort();
      const options = { tokenizer: 'bpe', workers: 2, signal: controller.signal, onProgress } as const;
      await expect(prepare(path, options), stage).rejects.toThrow(/aborted/);
      await expect(openDataset(data()), stage).rejects.toThrow(/is missing/);
    }
  });

  it('learns no pair that comes once, and as many entries as the text is large where none are asked for', async () => {
    const few = await prepare(write('a.txt', `${'ab '.repeat(40)}cd${' xy'.repeat(20)}`), { tokenizer: 'bpe' });
    expect(few.tokenizer.encode('cd').length).toBe(2);
    const sizes: number[] = [];
    const words = Array.from({ length: 40_000 }, (_, i) => `w${(i * i) % 997}x${(i * 31) % 89} `);
    for (const count of [1000, 20_000, 40_000]) {
      const made = await prepare(write('a.txt', words.slice(0, count).join('')), { tokenizer: 'bpe' });
      sizes.push(made.tokenizer.vocabularySize);
    }
    expect(sizes[0]).toBeLessThan(sizes[1]!);
    expect(sizes[1]).toBeLessThan(sizes[2]!);
  });

  it('does not depend on the number of threads', async () => {
    const path = write('a.txt', long.repeat(20));
    const run = async (workers: number) => {
      const { fingerprint, train } = await prepare(path, {
        tokenizer: 'bpe',
        vocabularySize: 400,
        workers,
        folder: join(folder, `w${workers}`),
      });
      return {
        fingerprint,
        files: readFileSync(join(folder, `w${workers}`, 'dataset.json'), 'utf8'),
        length: train.length,
      };
    };
    expect(await run(2)).toEqual(await run(0));
  });

  it('uses a tokenizer that is given', async () => {
    const first = await prepare(write('a.txt', long), { tokenizer: 'bpe', vocabularySize: 300 });
    const other = await prepare(write('b.txt', 'word1 word2 '.repeat(9)), {
      tokenizer: first.tokenizer,
      folder: join(folder, 'other'),
    });
    expect(other.tokenizer.files()).toEqual(first.tokenizer.files());
    expect(text(other).train).toMatch(/^word1 word2 /);
  });

  it.each(['chars', 'bytes', 'bpe'] as const)(
    'gives %s a mask token where asked, which is in its vocabulary and in no text',
    async (tokenizer) => {
      const path = write('a.txt', `[MASK] ${long}`);
      const plain = await prepare(path, { tokenizer, vocabularySize: 300, folder: join(folder, 'plain') });
      const masked = await prepare(path, { tokenizer, vocabularySize: 300, mask: true });
      const { mask, vocabularySize } = masked.tokenizer;
      expect([plain.tokenizer.mask, mask]).toEqual([undefined, vocabularySize - 1]);
      expect(vocabularySize - plain.tokenizer.vocabularySize).toBe(tokenizer === 'bpe' ? 0 : 1);
      expect(masked.train.read(0, masked.train.length)).not.toContain(mask);
      const [got, whole] = [text(masked), text(plain)];
      expect(got.train + got.validation).toBe(whole.train + whole.validation);
      expect(masked.fingerprint).not.toBe(plain.fingerprint);
      expect((await openDataset(data())).tokenizer.mask).toBe(mask);
      expect((await prepare(path, { tokenizer, vocabularySize: 300, mask: true })).reused).toBe(true);
    },
  );

  it('asks for a mask token of a tokenizer that is given, and counts it in the least vocabulary', async () => {
    const path = write('a.txt', long);
    const { tokenizer } = await prepare(path, { mask: true });
    const given = await prepare(path, { tokenizer, folder: join(folder, 'given') });
    expect(await prepare(path, { tokenizer, folder: join(folder, 'given'), mask: true })).toMatchObject({
      fingerprint: given.fingerprint,
      reused: true,
    });
    await expect(prepare(path, { tokenizer: (await prepare(path)).tokenizer, mask: true })).rejects.toThrow(
      /needs a tokenizer with a mask token, and this one has none/,
    );
    await expect(prepare(path, { tokenizer: 'bpe', mask: true, vocabularySize: 257 })).rejects.toThrow(
      /two special tokens .* from 258 to 1048576, not 257/,
    );
    await expect(prepare(path, { tokenizer: 'bpe', sentinels: true, vocabularySize: 356 })).rejects.toThrow(
      /101 special tokens .* from 357 to 1048576, not 356/,
    );
    await expect(prepare(path, { tokenizer: 'chars', sentinels: true })).rejects.toThrow(
      /<extra_id_0> and on\), which chars tokenizers have not/,
    );
  });

  it('reports how far it is', async () => {
    const seen: PrepareProgress[] = [];
    await prepare(write('a.txt', long), { tokenizer: 'bpe', vocabularySize: 600, onProgress: (p) => seen.push(p) });
    expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['reading', 'counting', 'merging', 'encoding']);
    expect(seen.every(({ done, total }) => done <= total)).toBe(true);
    expect(seen.at(-1)).toMatchObject({ done: Buffer.byteLength(long), total: Buffer.byteLength(long) });
  });

  it.each([
    [{ validationFraction: 0 }, /more than 0 and less than 1.*not 0/],
    [{ validationFraction: Number.NaN }, /not NaN/],
    [{ tokenizer: 'bpe', vocabularySize: 256 }, /from 257 to .*not 256/],
    [{ tokenizer: 'bpe', vocabularySize: 300.5 }, /not 300\.5/],
  ] as const)('refuses the options %j', async (options, message) => {
    const run = prepare(write('a.txt', long), options);
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toBeInstanceOf(UsageError);
  });

  it('refuses invalid UTF-8 for chars with file and offset, and keeps it for bpe', async () => {
    const path = write('a.txt', Buffer.concat([Buffer.from(long), Buffer.of(0xff), Buffer.from(' end '.repeat(3000))]));
    const offset = Buffer.byteLength(long);
    await expect(prepare(path, { tokenizer: 'chars' })).rejects.toThrow(
      new RegExp(`0xff at byte ${offset} of .*a\\.txt`),
    );
    const { tokenizer, train, validation } = await prepare(path, { tokenizer: 'bpe', vocabularySize: 300 });
    const bytes = [train, validation].map((part) => tokenizer.decodeBytes(part.read(0, part.length)));
    expect(Buffer.concat(bytes).equals(readFileSync(path))).toBe(true);
  });
});

describe('a folder that was prepared before', () => {
  it('is used again for the same text and settings, also when the file was only touched or moved', async () => {
    const path = write('a.txt', long);
    const first = await prepare(path);
    const made = () => statSync(join(data(), 'train-00000.bin')).mtimeMs;
    const before = made();
    expect(first.reused).toBe(false);
    expect((await prepare(path)).reused).toBe(true);
    utimesSync(path, 1, 1);
    expect((await prepare(path)).reused).toBe(true);
    const moved = await prepare(write('b.txt', long));
    expect([moved.reused, moved.fingerprint, made()]).toEqual([true, first.fingerprint, before]);
  });

  it('is left as it is when another text was expected', async () => {
    const first = await prepare(write('a.txt', long));
    const other = prepare(write('b.txt', `${long}!`), { expected: first.fingerprint });
    await expect(other).rejects.toThrow(OtherTextError);
    expect((await prepare(join(folder, 'a.txt'), { expected: first.fingerprint })).reused).toBe(true);
  });

  it('is made anew when text or settings differ', async () => {
    const path = write('a.txt', long);
    const prints = [(await prepare(path)).fingerprint];
    for (const options of [
      { validationFraction: 0.2 },
      { tokenizer: 'chars' as const },
      { tokenizer: 'bpe' as const },
    ]) {
      const again = await prepare(path, options);
      expect(again.reused).toBe(false);
      prints.push(again.fingerprint);
    }
    write('a.txt', long.replace('word1 ', 'word2 '));
    const changed = await prepare(path);
    expect(changed.reused).toBe(false);
    prints.push(changed.fingerprint);
    expect(new Set(prints).size).toBe(5);
  });

  it.each([
    [
      'a damaged token file',
      () =>
        writeFileSync(join(data(), 'train-00000.bin'), Buffer.alloc(statSync(join(data(), 'train-00000.bin')).size)),
    ],
    ['a missing token file', () => unlinkSync(join(data(), 'validation-00000.bin'))],
    ['a damaged tokenizer', () => writeFileSync(join(data(), 'tokenizer.json'), '{')],
    ['a damaged manifest', () => writeFileSync(join(data(), 'dataset.json'), '{')],
    ['no manifest, as after a kill', () => unlinkSync(join(data(), 'dataset.json'))],
  ])('is made anew with %s', async (_, damage) => {
    const path = write('a.txt', long);
    const before = text(await prepare(path));
    damage();
    const again = await prepare(path);
    expect(again.reused).toBe(false);
    expect(text(again)).toEqual(before);
    expect(readdirSync(data()).length).toBe(5);
  });

  it('is not believed after a failure half-way', async () => {
    const path = write('a.txt', long);
    await prepare(path);
    write('a.txt', `${long}more`);
    const fail = (progress: PrepareProgress) => {
      if (progress.phase === 'encoding') throw new Error('stopped here');
    };
    await expect(prepare(path, { onProgress: fail })).rejects.toThrow('stopped here');
    expect(readdirSync(data())).not.toContain('dataset.json');
    expect((await prepare(path)).reused).toBe(false);
  });

  it('is not made of a text that changes meanwhile', async () => {
    const path = write('a.txt', long);
    const change = (progress: PrepareProgress) => {
      if (progress.phase === 'reading') write('a.txt', long.replace('word1 ', 'wordX '));
    };
    await expect(prepare(path, { onProgress: change })).rejects.toThrow(/changed while it was being read/);
    expect(readdirSync(data())).not.toContain('dataset.json');
  });
});
