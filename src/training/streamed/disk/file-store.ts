/*
 * Sections on disk. Two files by turns hold what a checkpoint needs, parameters and moments: a step reads each value where it
 * was written last and writes it into the file that is not the last checkpoint's, so that a checkpoint is a sync of one file
 * and a rename of the few bytes that name it, and a kill at any moment leaves the one before as it was. Gradients, which no
 * checkpoint needs, have a file of their own.
 */
import { rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../../../base/errors.js';
import { writeFileAtomic } from '../../../base/files/atomic.js';
import { exists } from '../../../base/files/exists.js';
import { readJsonFile } from '../../../base/files/json-file.js';
import { makeFolder } from '../../../base/files/make-folder.js';
import { isJsonObject, type JsonValue, jsonText } from '../../../base/json.js';
import type { FewBitOptions } from '../../moments.js';
import type { Range } from '../../ranges.js';
import type { VectorName } from '../../trained-vectors.js';
import { isMoment, MomentRoom } from '../moment-room.js';
import { AHEAD } from '../section-updates.js';
import { inPages, type Section } from '../sections.js';
import type { SectionStore } from '../store.js';
import { DirectFile, type OpenRaw } from './direct-file.js';
import { PageBuffers } from './page-buffers.js';

/** What a checkpoint holds. */
const KEPT = ['parameters', 'moment1', 'moment2'] as const satisfies readonly VectorName[];
type Kept = (typeof KEPT)[number];

const SIDES = ['a', 'b'] as const;
type Side = 0 | 1;

/** How a store is opened. */
export interface FileStoreOptions {
  readonly folder: string;
  readonly sections: readonly Section[];
  /** Vectors that stay in memory and are on disk in checkpoints alone. */
  readonly resident: readonly VectorName[];
  /** Elements of the ranges that are asked for; moments in few bits keep those of the store's beginning: {@link FileStore.range}. */
  readonly range: number;
  /** How moments are kept in few bits; in float32 where left out. */
  readonly moments?: FewBitOptions | undefined;
  /** Whether checkpoints are made of it, as they are unless told otherwise: without them it takes half of the disk. */
  readonly checkpoints?: boolean;
  /** Arrays of a section's size that are lent at once: 3 or more; with 3 a step waits for the disk now and then. */
  readonly buffers?: number;
  /** How files are opened; the system's own unless given. */
  readonly by?: OpenRaw;
}

/** The few bytes that name the file of the last checkpoint. */
interface Committed {
  readonly format: 'meanfield-offload';
  readonly version: 1;
  readonly file: (typeof SIDES)[number];
  /** Elements of every section. */
  readonly sections: readonly number[];
  /** Of moments in few bits, which lie by ranges. */
  readonly moments?: { readonly precision: string; readonly range: number };
  readonly state: JsonValue;
}

/** Where a section lies in a file, and how far its vectors reach. */
interface SectionPlace {
  /** In a file of gradients, and in one of what a checkpoint holds, in words of 4 bytes. */
  readonly gradient: number;
  readonly kept: number;
  readonly size: number;
  readonly moment: MomentRoom;
}

/** Ranges that are lent at once: gradient and moments of those under way, and as many that are still being written. */
const RANGES = 2 * 3 * AHEAD;

const STATE = 'state.json';
const BYTES = Float32Array.BYTES_PER_ELEMENT;

export class FileStore implements SectionStore {
  /** The file of the last checkpoint. */
  #committed: Side;
  /** Values that are in the other file since, by section, vector and where their range begins. */
  readonly #newer = new Set<string>();
  /** Whether anything that a checkpoint holds was saved since the last. */
  #changed = false;
  readonly #saving = new Map<string, Promise<void>>();
  #failure: unknown;
  readonly #resident = new Map<string, Float32Array>();

  private constructor(
    private readonly options: FileStoreOptions,
    private readonly sides: readonly [DirectFile, DirectFile],
    private readonly gradient: DirectFile,
    private readonly buffers: PageBuffers,
    private readonly places: readonly SectionPlace[],
    readonly range: number,
    /** What the last checkpoint was given, where there is one. */
    readonly state: JsonValue | undefined,
    committed: Side,
  ) {
    this.#committed = committed;
  }

  /**
   * Opens the store of a folder as its last checkpoint left it, or a new one, of zeros.
   *
   * @throws MeanfieldError when what is there is of another model or damaged, or the disk has no room for it
   */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    const { folder, sections, resident, range: wanted, moments, buffers = 4, checkpoints = true, by } = options;
    await makeFolder(folder);
    const before = await readCommitted(folder);
    const range = before?.moments?.range ?? wanted;
    const { places, total, kept } = placesOf(sections, range, moments);
    if (before) await checkCommitted(before, options, kept);
    // What no checkpoint names is of a run that was killed before its first.
    if (!before) for (const name of [...SIDES, 'gradient']) await rm(join(folder, name), { force: true });
    const spilled = resident.includes('gradient') ? 0 : total;
    const twice = checkpoints ? ' twice, so that there is always a whole checkpoint,' : '';
    const content = `the model's parameters and moments${twice} and its gradient`;
    if (!before) await requireSpace(folder, ((checkpoints ? 2 : 1) * kept + spilled) * BYTES, content);
    const open = (name: string, elements: number) => DirectFile.open(join(folder, name), elements, by);
    const sides = [await open(SIDES[0], kept), await open(SIDES[1], kept)] as const;
    const gradient = await open('gradient', spilled);
    const largest = Math.max(...sections.map(({ size }) => inPages(size)));
    const memory = (elements: number) => sides[0].memory(elements);
    const pages = new PageBuffers(memory, { size: inPages(range), most: RANGES }, { size: largest, most: buffers });
    const committed = before ? (SIDES.indexOf(before.file) as Side) : 1;
    const store = new FileStore(options, sides, gradient, pages, places, range, before?.state, committed);
    await store.#fillResident();
    return store;
  }

  /** Whether the disk is read and written past the system's cache. */
  get direct(): boolean {
    return this.sides[0].direct;
  }

  async load(section: number, vector: VectorName, range?: Range): Promise<Float32Array> {
    const array = await this.blank(section, vector, range);
    if (this.#held(section, vector)) return array;
    await this.#saving.get(keyOf(section, vector, range));
    this.#throwFailure();
    const { file, at } = this.#place(section, vector, range, this.#sideOf(section, vector, range));
    await file.read(pagesOf(array), at);
    return array;
  }

  async blank(section: number, vector: VectorName, range?: Range): Promise<Float32Array> {
    const held = this.#held(section, vector);
    const { start, end } = this.#reach(section, vector, range);
    if (held) return held.subarray(start, end);
    const array = await this.buffers.take(end - start);
    // Whoever waited for it may have waited for what has failed meanwhile.
    if (this.#failure !== undefined) {
      this.release(array);
      throw this.#failure;
    }
    return array;
  }

  save(array: Float32Array, section: number, vector: VectorName, range?: Range): Promise<void> {
    if (vector !== 'gradient') this.#changed = true;
    if (this.#held(section, vector)) return Promise.resolve();
    const key = keyOf(section, vector, range);
    const { file, at } = this.#place(section, vector, range, this.#other);
    const before = this.#saving.get(key) ?? Promise.resolve();
    const saving = before
      .then(() => file.write(pagesOf(array), at))
      .catch((error: unknown) => {
        this.#failure ??= error;
        throw error;
      })
      .finally(() => {
        if (this.#saving.get(key) === saving) this.#saving.delete(key);
      });
    saving.catch(() => {});
    this.#saving.set(key, saving);
    if (vector !== 'gradient') this.#newer.add(key);
    return saving;
  }

  release(array: Float32Array): void {
    this.buffers.give(array);
  }

  async settle(): Promise<void> {
    await Promise.allSettled(this.#saving.values());
    this.#throwFailure();
  }

  /**
   * Makes a checkpoint of what was saved, together with a state: both are there after it, or neither. All sections have
   * taken the same steps by then.
   *
   * @throws MeanfieldError when the disk is full; the checkpoint before is unharmed
   */
  async commit(state: JsonValue): Promise<void> {
    await this.settle();
    const { folder, sections, moments } = this.options;
    // Of a store that has no checkpoint yet, what was never saved is 0 in either file.
    const first = !(await exists(join(folder, STATE)));
    const to = this.#changed || first ? this.#other : this.#committed;
    for (const i of sections.keys()) for (const vector of KEPT) await this.#complete(i, vector, to, first);
    await this.sides[to].sync();
    const content: Committed = {
      ...{ format: 'meanfield-offload', version: 1, file: SIDES[to] },
      sections: sections.map(({ size }) => size),
      ...(moments && { moments: { precision: moments.precision, range: this.range } }),
      state,
    };
    await writeFileAtomic(join(folder, STATE), jsonText(content as unknown as JsonValue));
    this.#committed = to;
    this.#newer.clear();
    this.#changed = false;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#saving.values());
    for (const file of [...this.sides, this.gradient]) await file.close();
  }

  get #other(): Side {
    return this.#committed === 0 ? 1 : 0;
  }

  /** Sees to it that all of a section's vector is in a file. */
  async #complete(section: number, vector: Kept, to: Side, first: boolean): Promise<void> {
    const size = this.#reach(section, vector).end;
    const held = this.#held(section, vector);
    const saved = this.#newer.has(keyOf(section, vector));
    if (size === 0 || to === this.#committed || (!held && (saved || first))) return;
    const from = held ?? (await this.load(section, vector));
    let pages = from;
    if (held) {
      pages = await this.buffers.take(size);
      pages.set(held);
    }
    const { file, at } = this.#place(section, vector, undefined, to);
    await file.write(pagesOf(pages), at);
    this.release(pages);
  }

  async #fillResident(): Promise<void> {
    const { resident, sections } = this.options;
    for (const section of sections.keys())
      for (const vector of resident) {
        const size = this.#reach(section, vector).end;
        const held = new Float32Array(size);
        if (this.state !== undefined && vector !== 'gradient' && size > 0) {
          const pages = await this.buffers.take(size);
          const { file, at } = this.#place(section, vector, undefined, this.#committed);
          await file.read(pagesOf(pages), at);
          held.set(pages);
          this.release(pages);
        }
        this.#resident.set(keyOf(section, vector), held);
      }
  }

  #held(section: number, vector: VectorName): Float32Array | undefined {
    return this.#resident.get(keyOf(section, vector));
  }

  #sideOf(section: number, vector: VectorName, range: Range | undefined): Side {
    return this.#newer.has(keyOf(section, vector, range)) ? this.#other : this.#committed;
  }

  #place(section: number, vector: VectorName, range: Range | undefined, side: Side) {
    const { gradient, kept, size, moment } = this.places[section]!;
    const { start } = this.#reach(section, vector, range);
    if (vector === 'gradient') return { file: this.gradient, at: gradient + start };
    const before = KEPT.indexOf(vector);
    const within = before === 0 ? 0 : inPages(size) + (before - 1) * inPages(moment.words);
    return { file: this.sides[side], at: kept + within + start };
  }

  /** The words of a vector, or of a range of it. */
  #reach(section: number, vector: VectorName, range?: Range): Range {
    const { size, moment } = this.places[section]!;
    return isMoment(vector) ? moment.place(range) : (range ?? { start: 0, end: size });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** A vector of a section, or one of the ranges that it is always asked for by. */
const keyOf = (section: number, vector: VectorName, range?: Range): string =>
  `${section} ${vector} ${range?.start ?? 0}`;

/** All of the pages that an array lies in which begins one of them. */
export const pagesOf = ({ buffer, byteOffset, length }: Float32Array): Float32Array =>
  new Float32Array(buffer, byteOffset, inPages(length));

/** What the last checkpoint of a folder was given; undefined where there is none. @throws MeanfieldError when it is damaged */
export async function committedState(folder: string): Promise<JsonValue | undefined> {
  return (await readCommitted(folder))?.state;
}

const ADVICE = 'Restore the folder from a copy, or start a new run.';

async function readCommitted(folder: string): Promise<Committed | undefined> {
  const path = join(folder, STATE);
  if (!(await exists(path))) return undefined;
  const content = await readJsonFile(path, ADVICE);
  const wrong = (what: string) => new MeanfieldError(`${path} ${what}. ${ADVICE}`);
  if (!isJsonObject(content) || content.format !== 'meanfield-offload' || content.version !== 1)
    throw wrong('does not name a checkpoint');
  const { moments } = content;
  const isRange = (range: unknown) =>
    Number.isSafeInteger(range) && (range as number) > 0 && inPages(range as number) === range;
  const whole = moments === undefined || (isJsonObject(moments) && isRange(moments.range));
  if (!SIDES.includes(content.file as never) || content.state === undefined || !whole) throw wrong('is damaged');
  return content as unknown as Committed;
}

/** @param kept words of what a checkpoint holds @throws MeanfieldError where a checkpoint is of something else, or not whole */
async function checkCommitted(
  { file, sections: before, moments }: Committed,
  { folder, sections, moments: own }: FileStoreOptions,
  kept: number,
): Promise<void> {
  const wrong = (what: string) => new MeanfieldError(`${join(folder, STATE)} ${what}. ${ADVICE}`);
  const sizes = sections.map(({ size }) => size);
  if (JSON.stringify(before) !== JSON.stringify(sizes)) throw wrong('is of another model');
  const [there, here] = [moments?.precision, own?.precision].map((precision) => precision ?? 'fp32');
  if (there !== here) throw wrong(`has moments in ${there}, and this run keeps them in ${here}`);
  const expected = DirectFile.bytes(kept);
  const found = await stat(join(folder, file)).catch(() => undefined);
  if (found?.size !== expected)
    throw wrong(`names the file ${file} of ${expected} bytes, and there are ${found?.size ?? 'none'}`);
}

/** Where sections lie, and the words of all gradients and of what a checkpoint holds. */
function placesOf(sections: readonly Section[], range: number, moments: FewBitOptions | undefined) {
  let [total, kept] = [0, 0];
  const places = sections.map((section): SectionPlace => {
    const place = { gradient: total, kept, size: section.size, moment: new MomentRoom(section, range, moments) };
    total += inPages(section.size);
    kept += inPages(section.size) + 2 * inPages(place.moment.words);
    return place;
  });
  return { places, total, kept };
}

/** @param content what is to be there @throws MeanfieldError where a folder's file system has less room than it will take */
export async function requireSpace(folder: string, bytes: number, content: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`;
  throw new MeanfieldError(
    `${folder} would take ${gigabytes(bytes)} of disk, and ${gigabytes(bavail * bsize)} are free: ${content}. Free some space, or ` +
      'put the run on another disk.',
  );
}
