import { createHash } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { currentFolder } from '../base/files/folder-swap.js';
import { parseJsonFile } from '../base/files/json-file.js';
import { NO_SUCH_FILE, pathFault } from '../base/files/path-fault.js';
import { isJsonObject, type JsonObject } from '../base/json.js';
import { knownFormat } from '../base/known-format.js';
import { parseShardMap, SHARD_ADVICE } from './sharded-weights.js';

/** Holds the sha256 of every other file; other programs overlook it. */
export const HASHES = 'meanfield.json';
export const WEIGHTS = 'model.safetensors';
/** An adapter's, which stand in the place of a model's weights. */
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_ADVICE = "An adapter's folder needs it as PEFT's save_pretrained writes it.";
/** Beside the `model/` of a run: the parameters that stay as they are, for an adapter all of its base's. */
export const FROZEN = 'frozen.safetensors';
/** Says which file holds which tensor, where the weights are cut into several. */
export const SHARD_INDEX = 'model.safetensors.index.json';
/** The tokenizer's files that are read, or kept for other programs. */
export const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
] as const;

const NAMES = [
  'config.json',
  'generation_config.json',
  ...TOKENIZER_FILES,
  WEIGHTS,
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  SHARD_INDEX,
  HASHES,
];
/** What can be done for a folder that is not as it was written. */
export const RESTORE = `Restore the folder from a copy, or resume the run to write it anew; after an edit of your own delete ${HASHES}.`;

/** How long a folder may be replaced again and again under a reader. */
const PATIENCE_MS = 60_000;

/**
 * The files of a model folder, all opened while it was one folder. A writer that replaces the folder from then on
 * changes nothing for who holds them, and opening takes so little time that a reader comes in between two writers'
 * turns. {@link close} them.
 */
export class ModelFiles {
  /** Where they were found. */
  readonly path: string;
  /** Hashes by file name; undefined in a folder of others. */
  readonly hashes: JsonObject | undefined;
  readonly #files: Map<string, FileHandle>;

  private constructor(path: string, files: Map<string, FileHandle>, hashes: JsonObject | undefined) {
    this.path = path;
    this.#files = files;
    this.hashes = hashes;
  }

  /** @throws MeanfieldError when there is no folder, a file in it is none or cannot be opened, or the hashes are damaged */
  static async open(folder: string): Promise<ModelFiles> {
    const patience = performance.now() + PATIENCE_MS;
    for (;;) {
      const path = await currentFolder(folder);
      if (path === undefined) throw new MeanfieldError(`There is no model in ${folder}. Has the run evaluated yet?`);
      const before = await identity(path);
      // Files of two folders are mixed when one replaces the other in between.
      const replaced = async () => before === undefined || (await identity(path)) !== before;
      const files = new Map<string, FileHandle>();
      try {
        const opened = await openAll(path, files);
        if (!(await replaced())) return opened;
        await closeAll(files);
      } catch (error) {
        await closeAll(files);
        if (!(await replaced())) throw error;
      }
      if (performance.now() > patience) {
        throw new MeanfieldError(`${folder} is replaced faster than it can be read. Try again when less is written.`);
      }
    }

    async function openAll(path: string, files: Map<string, FileHandle>): Promise<ModelFiles> {
      for (const name of NAMES) await openOne(path, name, files);
      const hashes = files.has(HASHES) ? await readHashes(join(path, HASHES), files.get(HASHES)!) : undefined;
      for (const name of Object.keys(hashes ?? {})) {
        if (basename(name) !== name) throw new MeanfieldError(`${join(path, HASHES)} names ${name}, a file elsewhere.`);
        if (!files.has(name)) await openOne(path, name, files);
        if (!files.has(name)) throw new MeanfieldError(`${join(path, name)} is missing. ${RESTORE}`);
      }
      if (files.has(SHARD_INDEX) && !files.has(WEIGHTS)) {
        const map = await readShardMap(join(path, SHARD_INDEX), files.get(SHARD_INDEX)!);
        for (const name of new Set(map.values())) if (!files.has(name)) await openOne(path, name, files);
      }
      return new ModelFiles(path, files, hashes);
    }
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** The sha256 of a file, read in pieces. */
  async sha256(name: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of this.#files.get(name)!.createReadStream({ start: 0, autoClose: false }))
      hash.update(chunk);
    return hash.digest('hex');
  }

  /** A file of UTF-8. @throws MeanfieldError when it is no text, or stands for another file */
  async text(name: string): Promise<string> {
    const bytes = await readAll(this.#files.get(name)!);
    const path = join(this.path, name);
    const known = knownFormat(bytes);
    if (known !== undefined) throw new MeanfieldError(`${path} is ${known}.`);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (error) {
      throw new MeanfieldError(`${path} is damaged: its bytes are no UTF-8 text. ${RESTORE}`, { cause: error });
    }
  }

  /** @throws MeanfieldError when the file holds no JSON object */
  async object(name: string, advice: string): Promise<JsonObject> {
    const path = join(this.path, name);
    const file = this.#files.get(name);
    if (file === undefined) throw new MeanfieldError(`Cannot read ${path}: there is no such file. ${advice}`);
    const value = parseJsonFile(await readAll(file), path, advice);
    if (!isJsonObject(value)) throw new MeanfieldError(`${path} is damaged: expected a JSON object.`);
    return value;
  }

  /** Hands a file over: the caller closes it. */
  take(name: string): FileHandle {
    const file = this.#files.get(name)!;
    this.#files.delete(name);
    return file;
  }

  close(): Promise<void> {
    return closeAll(this.#files);
  }
}

async function openOne(folder: string, name: string, files: Map<string, FileHandle>): Promise<void> {
  const path = join(folder, name);
  const fault = await pathFault(path, 'file');
  if (fault === NO_SUCH_FILE) return;
  if (fault !== undefined) throw new MeanfieldError(`Cannot read ${path}: ${fault}.`);
  files.set(name, await open(path, 'r'));
}

async function readShardMap(path: string, file: FileHandle): Promise<ReadonlyMap<string, string>> {
  return parseShardMap(parseJsonFile(await readAll(file), path, SHARD_ADVICE), path);
}

async function readHashes(path: string, file: FileHandle): Promise<JsonObject> {
  const root = parseJsonFile(await readAll(file), path, RESTORE);
  const hashes = isJsonObject(root) ? root.sha256 : undefined;
  if (
    isJsonObject(hashes) &&
    (hashes['config.json'] ?? hashes[ADAPTER_CONFIG]) !== undefined &&
    (hashes[WEIGHTS] ?? hashes[SHARD_INDEX] ?? hashes[ADAPTER_WEIGHTS]) !== undefined
  )
    return hashes;
  throw new MeanfieldError(`${path} is damaged: expected the hashes of the folder's files. ${RESTORE}`);
}

/** From its start, wherever it was read before. */
async function readAll(file: FileHandle): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false })) parts.push(chunk as Buffer);
  return Buffer.concat(parts);
}

async function closeAll(files: Map<string, FileHandle>): Promise<void> {
  for (const file of files.values()) await file.close();
  files.clear();
}

async function identity(path: string): Promise<string | undefined> {
  return stat(path).then(
    ({ ino, ctimeMs }) => `${ino} ${ctimeMs}`,
    () => undefined,
  );
}
