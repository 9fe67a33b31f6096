import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { asWriteError, syncFolder } from '../../base/files/atomic.js';
import { makeFolder } from '../../base/files/make-folder.js';
import type { ShardList } from './shard-list.js';

/** Tokens in one file unless told otherwise: 128 MiB at 16 bits. */
export const SHARD_TOKENS = 1 << 26;

/**
 * Writes a row of tokens as files of bounded size, little-endian, 16 bits wide where every id fits. The files count for
 * nothing until a manifest names them; {@link finish} returns what it must say.
 */
export class ShardWriter {
  readonly #folder: string;
  readonly #name: string;
  readonly #list: ShardList;
  readonly #shardTokens: number;
  #file: FileHandle | undefined;
  #hash: Hash = createHash('sha256');
  #inShard = 0;

  /** @param name how the files' names begin: `NAME-00000.bin` */
  constructor(folder: string, name: string, vocabularySize: number, shardTokens = SHARD_TOKENS) {
    this.#folder = folder;
    this.#name = name;
    this.#shardTokens = shardTokens;
    this.#list = { width: vocabularySize <= 65536 ? 2 : 4, length: 0, files: [] };
  }

  /** Appends tokens. @throws MeanfieldError when the disk is full or the folder cannot be written */
  async write(ids: Uint32Array): Promise<void> {
    for (let at = 0; at < ids.length; ) {
      if (this.#file === undefined) await this.#start();
      const part = ids.subarray(at, at + this.#shardTokens - this.#inShard);
      await this.#append(part);
      at += part.length;
      if (this.#inShard === this.#shardTokens) await this.#close();
    }
  }

  /** Makes everything durable and says what was written. */
  async finish(): Promise<ShardList> {
    if (this.#file !== undefined) await this.#close();
    await makeFolder(this.#folder);
    await syncFolder(this.#folder);
    return this.#list;
  }

  /** Lets go of the open file after a failure. */
  async abandon(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  get #path(): string {
    return join(this.#folder, this.#fileName);
  }

  get #fileName(): string {
    return `${this.#name}-${String(this.#list.files.length).padStart(5, '0')}.bin`;
  }

  async #start(): Promise<void> {
    try {
      await makeFolder(this.#folder);
      this.#file = await open(this.#path, 'w');
    } catch (error) {
      throw asWriteError(error, this.#path);
    }
    this.#hash = createHash('sha256');
    this.#inShard = 0;
  }

  async #append(ids: Uint32Array): Promise<void> {
    const bytes = littleEndian(ids, this.#list.width);
    this.#hash.update(bytes);
    try {
      for (let done = 0; done < bytes.length; ) done += (await this.#file!.write(bytes, done)).bytesWritten;
    } catch (error) {
      throw asWriteError(error, this.#path);
    }
    this.#inShard += ids.length;
    this.#list.length += ids.length;
  }

  async #close(): Promise<void> {
    try {
      await this.#file!.sync();
    } catch (error) {
      throw asWriteError(error, this.#path);
    } finally {
      await this.abandon();
    }
    this.#list.files.push({ name: this.#fileName, tokens: this.#inShard, sha256: this.#hash.digest('hex') });
  }
}

/** Typed arrays are written as they lie in memory: every machine that ONNX Runtime supports is little-endian. */
function littleEndian(ids: Uint32Array, width: 2 | 4): Uint8Array {
  const array = width === 2 ? Uint16Array.from(ids) : ids;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
