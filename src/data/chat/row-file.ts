import { closeSync, openSync, readSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { sha256File } from '../../base/hash.js';
import type { SampleList } from '../sampling/shuffled-samples.js';

/** A row's tokens. */
export interface TokenRow {
  readonly ids: Int32Array;
  /** Of each token, whether it is learned: 1 or 0. */
  readonly flags: Uint8Array;
}

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();

/** What a folder's manifest says of one of its files of rows. */
export const rowFileSchema = z.strictObject({
  rows: count,
  tokens: count,
  /** Tokens that are learned. */
  learned: count,
  sha256: z.strictObject({ tokens: hash, lengths: hash }),
});

/** What a folder's manifest says of one of its files of rows. */
export type RowFileEntry = z.infer<typeof rowFileSchema>;

/** The highest bit of a token's word: it is learned. */
const LEARNED = 2 ** 31;

/** Names of the files of a part. */
export const rowFileNames = (part: string) => ({ tokens: `${part}-rows.u32`, lengths: `${part}-lengths.u32` });

function pathsOf(folder: string, part: string) {
  const { tokens, lengths } = rowFileNames(part);
  return { tokens: join(folder, tokens), lengths: join(folder, lengths) };
}

/** Writes rows, as they come; whole or not at all. @throws MeanfieldError for a row with what is no token */
export async function writeRows(folder: string, part: string, rows: AsyncIterable<TokenRow>): Promise<RowFileEntry> {
  requireLittleEndian();
  const paths = pathsOf(folder, part);
  const lengths: number[] = [];
  let [tokens, learned] = [0, 0];
  const words = async function* (): AsyncGenerator<Uint8Array> {
    for await (const { ids, flags } of rows) {
      lengths.push(ids.length);
      tokens += ids.length;
      const wrong = ids.findIndex((id) => id < 0);
      if (wrong >= 0)
        throw new MeanfieldError(
          `Row ${lengths.length} of the ${part} part has no token at place ${wrong + 1} of ${ids.length} (${ids[wrong]}): the ` +
            'tokenizer does not know what stands there. `meanfield data check` names such rows.',
        );
      const row = Uint32Array.from(ids, (id, i) => id + (flags[i] ? LEARNED : 0));
      learned += flags.reduce((sum, flag) => sum + flag, 0);
      yield new Uint8Array(row.buffer);
    }
  };
  await writeFileAtomic(paths.tokens, words());
  await writeFileAtomic(paths.lengths, new Uint8Array(Uint32Array.from(lengths).buffer));
  const sha256 = { tokens: await sha256File(paths.tokens), lengths: await sha256File(paths.lengths) };
  return { rows: lengths.length, tokens, learned, sha256 };
}

/** Rows that were written: read one by one, when they are asked for. */
export class RowFile implements SampleList<TokenRow> {
  readonly #file: number;
  /** Where each row begins, in tokens, and where the last ends. */
  readonly #starts: Float64Array;

  private constructor(file: number, lengths: Uint32Array) {
    this.#file = file;
    this.#starts = new Float64Array(lengths.length + 1);
    for (const [i, length] of lengths.entries()) this.#starts[i + 1] = this.#starts[i]! + length;
  }

  /** @throws MeanfieldError when the files are not those that the entry tells of */
  static async open(folder: string, part: string, entry: RowFileEntry): Promise<RowFile> {
    requireLittleEndian();
    const paths = pathsOf(folder, part);
    try {
      const bytes = await readFile(paths.lengths);
      const { size } = await stat(paths.tokens);
      const lengths = new Uint32Array(Uint8Array.from(bytes).buffer);
      const total = lengths.reduce((sum, length) => sum + length, 0);
      if (lengths.length === entry.rows && total === entry.tokens && size === 4 * total)
        return new RowFile(openSync(paths.tokens, 'r'), lengths);
    } catch (error) {
      throw new MeanfieldError(`Cannot read the prepared rows: ${messageOf(error)}.`, { cause: error });
    }
    throw new MeanfieldError(`${paths.tokens} is not the file that was prepared: prepare the data again.`);
  }

  get length(): number {
    return this.#starts.length - 1;
  }

  /** Tokens of a row. */
  sizeOf(index: number): number {
    return this.#starts[index + 1]! - this.#starts[index]!;
  }

  at(index: number): TokenRow {
    const size = this.sizeOf(index);
    const words = new Uint32Array(size);
    const got = readSync(this.#file, words, 0, 4 * size, 4 * this.#starts[index]!);
    if (got !== 4 * size) throw new MeanfieldError('A file of prepared rows was cut while it was in use.');
    const flags = Uint8Array.from(words, (word) => word >>> 31);
    return { ids: Int32Array.from(words, (word) => word & (LEARNED - 1)), flags };
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Whether the files' contents are those of the entry. */
export async function rowsAreWhole(folder: string, part: string, { sha256 }: RowFileEntry): Promise<boolean> {
  const paths = pathsOf(folder, part);
  try {
    return (await sha256File(paths.tokens)) === sha256.tokens && (await sha256File(paths.lengths)) === sha256.lengths;
  } catch {
    return false;
  }
}

function requireLittleEndian(): void {
  if (endianness() !== 'LE') throw new MeanfieldError('Prepared rows can be used on little-endian machines alone.');
}
