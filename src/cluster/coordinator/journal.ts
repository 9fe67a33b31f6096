import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { sha256 } from '../../base/hash.js';
import { parseState, type RunState } from './run-state.js';

/** A commit: the result as it was exchanged, and the run's state after it. */
export interface JournalEntry {
  readonly round: number;
  readonly fragment: number;
  /** By shard of the fragment. */
  readonly parts: readonly Uint8Array[];
  readonly state: RunState;
}

const NAME = /^(\d{9,})\.commit$/;
const MAGIC = 'MFJ1';
const PREFIX = 12;

/**
 * The commits since the last checkpoint, one file each: `journal/000000017.commit`. Written and synced before anyone is
 * told of the commit, so that it outlives a power cut of this machine and the loss of the message system.
 */
export class Journal {
  constructor(private readonly folder: string) {}

  /**
   * Resolves when the disk has it.
   *
   * @param entry with the sha256 of each part
   * @throws MeanfieldError when there is no space left
   */
  async write({
    round,
    fragment,
    parts,
    hashes,
    state,
  }: JournalEntry & { readonly hashes: readonly string[] }): Promise<void> {
    const lists = parts.map((part, i) => ({ bytes: part.length, sha256: hashes[i] }));
    const header = new TextEncoder().encode(JSON.stringify({ round, fragment, parts: lists, state }));
    const prefix = new Uint8Array(PREFIX);
    prefix.set(new TextEncoder().encode(MAGIC));
    new DataView(prefix.buffer).setFloat64(4, header.length, true);
    await writeFileAtomic(this.#path(round), [prefix, header, ...parts]);
  }

  /** Rounds whose commits are here, in order. */
  async rounds(): Promise<number[]> {
    let names: string[];
    try {
      names = await readdir(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return names.flatMap((name) => Number(NAME.exec(name)?.[1] ?? Number.NaN) || []).sort((a, b) => a - b);
  }

  /** @throws MeanfieldError when the file is missing or damaged */
  async read(round: number): Promise<JournalEntry> {
    const path = this.#path(round);
    try {
      return parseEntry(await readFile(path), round, path);
    } catch (error) {
      throw new MeanfieldError(`The commit of round ${round} in ${path} cannot be used: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Deletes commits up to a round, which a checkpoint holds. */
  async trim(upTo: number): Promise<void> {
    for (const round of await this.rounds()) if (round <= upTo) await rm(this.#path(round), { force: true });
  }

  #path(round: number): string {
    return join(this.folder, `${String(round).padStart(9, '0')}.commit`);
  }
}

function parseEntry(file: Uint8Array, round: number, path: string): JournalEntry {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const magic = new TextDecoder().decode(file.subarray(0, 4));
  if (file.length < PREFIX || magic !== MAGIC) throw new MeanfieldError(`it does not begin with ${MAGIC}.`);
  const length = view.getFloat64(4, true);
  if (!Number.isSafeInteger(length) || length < 0 || PREFIX + length > file.length)
    throw new MeanfieldError(`its header of ${length} bytes does not fit in ${file.length}.`);
  const header: unknown = JSON.parse(new TextDecoder().decode(file.subarray(PREFIX, PREFIX + length)));
  const { round: named, fragment, parts, state } = (header ?? {}) as Record<string, unknown>;
  if (named !== round || !Number.isSafeInteger(fragment) || !Array.isArray(parts))
    throw new MeanfieldError(`its header is not that of round ${round}.`);
  let start = PREFIX + length;
  const contents = parts.map((part: { bytes?: unknown; sha256?: unknown } | null) => {
    const bytes = Number(part?.bytes);
    const content = file.slice(start, start + bytes);
    if (content.length !== bytes || sha256(content) !== part?.sha256)
      throw new MeanfieldError('a part is not what its hash says.');
    start += bytes;
    return content;
  });
  if (start !== file.length) throw new MeanfieldError(`it has ${file.length - start} bytes too many.`);
  return { round, fragment: fragment as number, parts: contents, state: parseState(state, path) };
}
