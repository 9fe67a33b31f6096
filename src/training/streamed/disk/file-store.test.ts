import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../../base/errors.js';
import { Random } from '../../../base/random.js';
import { updateRanges } from '../../adamw.js';
import type { FewBitOptions, FewBits } from '../../moments.js';
import type { VectorName } from '../../trained-vectors.js';
import { momentIn } from '../moment-room.js';
import { layerSection, PAGE, type Section } from '../sections.js';
import { goesDirect, type OpenRaw, openRaw, type RawFile } from './direct-file.js';
import { FileStore } from './file-store.js';

/** Of sizes that fill no page, many, and none. */
const sections: readonly Section[] = [
  layerSection([{ name: 'a', shape: [3, 5] }]),
  layerSection([
    { name: 'b', shape: [700, 5] },
    { name: 'c', shape: [7] },
  ]),
  layerSection([]),
];
const RANGE = 2 * PAGE;
const KEPT = ['parameters', 'moment1', 'moment2'] as const;

const folders: string[] = [];
const stores: FileStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'file-store-'));
  folders.push(folder);
  return folder;
}

async function open(folder: string, by?: OpenRaw, resident: readonly VectorName[] = []): Promise<FileStore> {
  const store = await FileStore.open({ folder, sections, resident, range: RANGE, ...(by && { by }) });
  stores.push(store);
  return store;
}

/** Writes a number everywhere, as a step does: parameters whole, moments by ranges. */
async function step(store: FileStore, value: number, vectors: readonly (typeof KEPT)[number][] = KEPT): Promise<void> {
  for (const [i, { size }] of sections.entries()) {
    const parameters = await store.load(i, 'parameters');
    parameters.fill(value);
    await store.save(parameters, i, 'parameters');
    store.release(parameters);
    for (const vector of vectors.filter((one) => one !== 'parameters'))
      for (let start = 0; start < size; start += RANGE) {
        const range = { start, end: Math.min(size, start + RANGE) };
        const part = await store.load(i, vector, range);
        part.fill(value + (vector === 'moment1' ? 0.25 : 0.5));
        await store.save(part, i, vector, range);
        store.release(part);
      }
  }
}

async function values(store: FileStore): Promise<number[]> {
  const found = new Set<number>();
  for (const i of sections.keys())
    for (const vector of KEPT) {
      const all = await store.load(i, vector);
      for (const value of all) found.add(value);
      store.release(all);
    }
  return [...found].sort();
}

/** Files of which each call may fail, or do less than it was asked to. */
function faulty(file: (raw: RawFile) => Partial<RawFile>, opens: (direct: boolean) => void = () => {}): OpenRaw {
  return async (path, direct) => {
    opens(direct);
    const raw = await openRaw(path, direct);
    const own = {
      read: raw.read.bind(raw),
      write: raw.write.bind(raw),
      truncate: raw.truncate.bind(raw),
      sync: raw.sync.bind(raw),
      close: raw.close.bind(raw),
    };
    return { ...own, ...file(own) };
  };
}

const refusal = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' });

describe.each<[string, readonly VectorName[]]>([
  ['all on disk', []],
  ['moments on disk', ['parameters', 'gradient']],
  ['all in memory', ['parameters', 'gradient', 'moment1', 'moment2']],
])('%s', (_, resident) => {
  it('goes on from the last checkpoint, whatever came after it', async () => {
    const folder = await newFolder();
    let store = await open(folder, undefined, resident);
    expect(store.state).toBeUndefined();
    expect(await values(store)).toEqual([0]);
    for (const value of [1, 2, 3]) {
      await step(store, value);
      await store.commit({ value });
      // Twice the same is once.
      await store.commit({ value });
      await step(store, value + 100);
      await step(store, value + 200);
      store = await open(folder, undefined, resident);
      expect(store.state).toEqual({ value });
      expect(await values(store)).toEqual([value, value + 0.25, value + 0.5]);
    }
  });
});

describe('a disk that fails', () => {
  it('is full at any write: the last checkpoint stays whole, and nobody waits for ever', async () => {
    const folder = await newFolder();
    const before = await open(folder);
    await step(before, 1);
    await before.commit({ value: 1 });
    let failures = 0;
    for (let left = 0; left < 14; left++) {
      let writes = Number.POSITIVE_INFINITY;
      const store = await open(
        folder,
        faulty((raw) => ({
          async write(...given) {
            if (writes-- <= 0) throw refusal('ENOSPC');
            return raw.write(...given);
          },
        })),
      );
      writes = left;
      const work = step(store, 2).then(() => store.commit({ value: 2 }));
      const error = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) break;
      failures++;
      expect(error).toBeInstanceOf(MeanfieldError);
      expect((error as Error).message).toContain('no disk space left');
      const after = await open(folder);
      expect(after.state).toEqual({ value: 1 });
      expect(await values(after)).toEqual([1, 1.25, 1.5]);
    }
    expect(failures).toBeGreaterThan(5);
  });

  it('moves fewer bytes than it was asked to', async () => {
    const folder = await newFolder();
    const random = new Random(7);
    const some = (length: number) => Math.max(4096, random.below(length + 1));
    const less = faulty((raw) => ({
      read: async (bytes, offset, length, position) => {
        const { bytesRead } = await raw.read(bytes, offset, length, position);
        return { bytesRead: Math.min(bytesRead, some(length)) };
      },
      write: (bytes, offset, length, position) => raw.write(bytes, offset, some(length) & ~4095, position),
    }));
    const store = await open(folder, less);
    await step(store, 3);
    await store.commit({});
    expect(await values(await open(folder, less))).toEqual([3, 3.25, 3.5]);
  });

  it('has no more bytes', async () => {
    const folder = await newFolder();
    const store = await open(
      folder,
      faulty((raw) => ({
        read: async (bytes, offset, length, position) =>
          position === 0 ? { bytesRead: 0 } : raw.read(bytes, offset, length, position),
      })),
    );
    await expect(store.load(0, 'parameters')).rejects.toThrow('nothing more came at byte 0');
  });

  it('is not read past the cache where the file system cannot', async () => {
    for (const code of ['EINVAL', 'EOPNOTSUPP']) {
      const folder = await newFolder();
      const cached = faulty(
        () => ({}),
        (direct) => {
          if (direct) throw refusal(code);
        },
      );
      expect(await goesDirect(folder, cached)).toBe(false);
      expect(await readdir(folder)).toEqual([]);
      const store = await open(folder, cached);
      expect(store.direct).toBe(false);
      await step(store, 4);
      await store.commit({});
      expect(await values(await open(folder))).toEqual([4, 4.25, 4.5]);
    }
  });
});

describe('a folder that is not as it was left', () => {
  async function saved(): Promise<string> {
    const folder = await newFolder();
    const store = await open(folder);
    await step(store, 1);
    await store.commit({});
    return folder;
  }

  it('is of another model', async () => {
    const folder = await saved();
    const other = FileStore.open({ folder, sections: sections.slice(0, 1), resident: [], range: RANGE });
    await expect(other).rejects.toThrow('is of another model');
  });

  it('was cut off, or lost a file', async () => {
    const folder = await saved();
    const { file } = JSON.parse(await readFile(join(folder, 'state.json'), 'utf8')) as { file: string };
    await copyFile(join(folder, file), join(folder, 'copy'));
    await truncate(join(folder, file), 4096);
    await expect(open(folder)).rejects.toThrow('and there are 4096');
    await rm(join(folder, file));
    await expect(open(folder)).rejects.toThrow('and there are none');
    await copyFile(join(folder, 'copy'), join(folder, file));
    expect(await values(await open(folder))).toEqual([1, 1.25, 1.5]);
  });

  it.each(['', '{}', '[]', '{"format":"meanfield-offload","version":2}', '{"format":"meanfield-offload","version":1}'])(
    'has a state of %j',
    async (text) => {
      const folder = await saved();
      await writeFile(join(folder, 'state.json'), text);
      await expect(open(folder)).rejects.toBeInstanceOf(MeanfieldError);
    },
  );
});

describe.each(['bf16', 'int8'] as const)('moments in %s', (precision) => {
  const moments = { precision, seed: 1 };
  const openedBy = async (folder: string, range = RANGE, own: FewBitOptions | undefined = moments) => {
    const store = await FileStore.open({ folder, sections, resident: [], range, moments: own });
    stores.push(store);
    return store;
  };
  /** Each range of each section, as the step of one has it. */
  const ranges = ({ range }: FileStore) =>
    sections.flatMap((section, i) =>
      [...updateRanges(section, undefined, undefined, range)].flatMap((own) =>
        (['moment1', 'moment2'] as const).map((vector) => ({ section: i, vector, range: own })),
      ),
    );

  async function fill(store: FileStore, value: number): Promise<void> {
    await step(store, value, ['parameters']);
    for (const [k, { section, vector, range }] of ranges(store).entries()) {
      const words = await store.load(section, vector, range);
      words.fill(value + k);
      await store.save(words, section, vector, range);
      store.release(words);
    }
  }

  it('take less of the disk, and go on in the ranges that they were written in', async () => {
    const folder = await newFolder();
    const store = await openedBy(folder);
    await fill(store, 1);
    await store.commit({ value: 1 });
    await fill(store, 100);
    const again = await openedBy(folder, 4 * RANGE);
    expect(again.range).toBe(RANGE);
    for (const [k, { section, vector, range }] of ranges(again).entries()) {
      const words = await again.load(section, vector, range);
      expect(new Set(words)).toEqual(new Set([1 + k]));
      const { values } = momentIn(words, range.end - range.start, moments) as FewBits;
      expect(values).toHaveLength(range.end - range.start);
      again.release(words);
    }
    const { file } = JSON.parse(await readFile(join(folder, 'state.json'), 'utf8')) as { file: string };
    const whole = await newFolder();
    await (await open(whole)).commit({});
    expect((await stat(join(folder, file))).size).toBeLessThan((await stat(join(whole, 'a'))).size);
  });

  it('are not those of another precision, nor of ranges that there cannot be', async () => {
    const folder = await newFolder();
    await (await openedBy(folder)).commit({});
    await expect(
      openedBy(folder, RANGE, { precision: precision === 'bf16' ? 'int8' : 'bf16', seed: 1 }),
    ).rejects.toThrow(
      `has moments in ${precision}, and this run keeps them in ${precision === 'bf16' ? 'int8' : 'bf16'}`,
    );
    await expect(open(folder)).rejects.toThrow(`has moments in ${precision}, and this run keeps them in fp32`);
    const path = join(folder, 'state.json');
    const state = JSON.parse(await readFile(path, 'utf8')) as { moments: object };
    for (const range of [0, -1024, 1000, 1e300, '2048', null]) {
      await writeFile(path, JSON.stringify({ ...state, moments: { ...state.moments, range } }));
      await expect(openedBy(folder)).rejects.toThrow('is damaged');
    }
  });
});
