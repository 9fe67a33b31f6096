import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeFileSynced } from '../base/atomic.js';
import { MeanfieldError } from '../base/errors.js';
import { sha256File } from '../base/hash.js';
import { isJsonObject, type JsonObject, jsonText } from '../base/json.js';
import { readJsonFile } from '../base/json-file.js';
import { SafetensorsFile } from '../base/safetensors.js';
import { encodeSafetensors, type NamedTensors } from '../base/safetensors-writer.js';
import { currentFolder, writeFolderAtomic } from './folder-swap.js';

/** A model in the layout of Hugging Face. The same content gives the same bytes: nothing tells a time or a run. */
export interface ModelContent {
  /** `config.json`, in Hugging Face's own keys. */
  readonly config: JsonObject;
  /** `generation_config.json`; none is written when left out. */
  readonly generationConfig?: JsonObject;
  /** Weights under Hugging Face's own names. */
  readonly tensors: NamedTensors;
  /** Texts by file name: `tokenizer.json`, `tokenizer_config.json`. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
}

/** A model folder that was found sound. {@link close} it after reading the weights. */
export interface ModelFolder {
  /** Where it was read. */
  readonly path: string;
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject;
  /** Those of {@link TOKENIZER_FILES} that the folder has. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly weights: SafetensorsFile;
  close(): Promise<void>;
}

/** The tokenizer's files that {@link readModelFolder} reads. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'] as const;

const WEIGHTS = 'model.safetensors';
/** Holds the sha256 of every other file; other programs overlook it. */
const HASHES = 'meanfield.json';

/**
 * Writes a model folder at once, in the place of an older one if there is one; for a kill between the two renames of
 * that see `folder-swap.ts`. The tensors' memory must not change until the promise resolves.
 *
 * @throws MeanfieldError when there is no space left; the older folder is unharmed
 *
 * @example
 * await writeModelFolder('runs/demo/model', { config, tensors, tokenizerFiles: { 'tokenizer.json': text } });
 */
export async function writeModelFolder(folder: string, content: ModelContent): Promise<void> {
  const texts: Record<string, string> = { 'config.json': jsonText(content.config) };
  if (content.generationConfig) texts['generation_config.json'] = jsonText(content.generationConfig);
  for (const [name, text] of Object.entries(content.tokenizerFiles)) {
    if (basename(name) !== name || name in texts || name === WEIGHTS || name === HASHES) {
      throw new Error(`${JSON.stringify(name)} cannot be the name of a tokenizer's file`);
    }
    texts[name] = text;
  }
  await writeFolderAtomic(folder, async (temporary) => {
    const weights = encodeSafetensors(content.tensors, { format: 'pt' });
    const hashes: Record<string, string> = {};
    for (const [name, data] of [...Object.entries(texts), [WEIGHTS, weights] as const]) {
      hashes[name] = (await writeFileSynced(join(temporary, name), data)).sha256;
    }
    const sorted = Object.fromEntries(Object.entries(hashes).sort(([a], [b]) => (a < b ? -1 : 1)));
    await writeFileSynced(join(temporary, HASHES), jsonText({ sha256: sorted }));
  });
}

/**
 * Opens a model folder: ours, every file of which must be as it was written, or another of Hugging Face's layout, which
 * has no hashes. A writer may replace the folder meanwhile.
 *
 * @throws MeanfieldError when the folder is missing, a file is missing or damaged, or the weights are in another format
 */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  for (let attempt = 1; ; attempt++) {
    const path = await currentFolder(folder);
    if (path === undefined) throw new MeanfieldError(`There is no model in ${folder}. Has the run evaluated yet?`);
    const before = await identity(path);
    // Files of two folders are mixed when one replaces the other in between.
    const replaced = async () => attempt < 5 && (before === undefined || (await identity(path)) !== before);
    try {
      const model = await readOnce(path);
      if (!(await replaced())) return model;
      await model.close();
    } catch (error) {
      if (!(await replaced())) throw error;
    }
  }
}

async function readOnce(path: string): Promise<ModelFolder> {
  await checkHashes(path);
  const config = await readObject(path, 'config.json');
  const generationConfig = (await exists(join(path, 'generation_config.json')))
    ? await readObject(path, 'generation_config.json')
    : undefined;
  const tokenizerFiles: Record<string, string> = {};
  for (const name of TOKENIZER_FILES) {
    if (await exists(join(path, name))) tokenizerFiles[name] = await readFile(join(path, name), 'utf8');
  }
  const weights = await openWeights(path);
  return {
    path,
    config,
    ...(generationConfig && { generationConfig }),
    tokenizerFiles,
    weights,
    close: () => weights.close(),
  };
}

async function checkHashes(path: string): Promise<void> {
  if (!(await exists(join(path, HASHES)))) return;
  const root = await readJsonFile(join(path, HASHES), RESTORE);
  const hashes = isJsonObject(root) ? root.sha256 : undefined;
  if (!isJsonObject(hashes) || hashes['config.json'] === undefined || hashes[WEIGHTS] === undefined) {
    throw new MeanfieldError(`${join(path, HASHES)} is damaged: expected the hashes of the folder's files. ${RESTORE}`);
  }
  for (const [name, hash] of Object.entries(hashes)) {
    const file = join(path, name);
    if (basename(name) !== name) throw new MeanfieldError(`${join(path, HASHES)} names ${name}, a file elsewhere.`);
    if (!(await exists(file))) throw new MeanfieldError(`${file} is missing. ${RESTORE}`);
    if ((await sha256File(file)) !== hash) {
      throw new MeanfieldError(`${file} is damaged: its hash is not the one in ${HASHES}. ${RESTORE}`);
    }
  }
}

const RESTORE = `Restore the folder from a copy, or resume the run to write it anew; after an edit of your own delete ${HASHES}.`;

async function readObject(path: string, name: string): Promise<JsonObject> {
  const value = await readJsonFile(join(path, name), 'A model folder needs it as Hugging Face writes it.');
  if (!isJsonObject(value)) throw new MeanfieldError(`${join(path, name)} is damaged: expected a JSON object.`);
  return value;
}

async function openWeights(path: string): Promise<SafetensorsFile> {
  if (await exists(join(path, WEIGHTS))) return SafetensorsFile.open(join(path, WEIGHTS));
  const others = [`${WEIGHTS}.index.json`, 'pytorch_model.bin'];
  for (const other of others) {
    if (await exists(join(path, other))) {
      throw new MeanfieldError(
        `${path} has its weights as ${other}, expected one file ${WEIGHTS}. ` +
          "Save it anew in Python: model.save_pretrained(folder, max_shard_size='1000GB').",
      );
    }
  }
  throw new MeanfieldError(`${path} has no ${WEIGHTS}. ${RESTORE}`);
}

async function identity(path: string): Promise<string | undefined> {
  return stat(path).then(
    ({ ino, ctimeMs }) => `${ino} ${ctimeMs}`,
    () => undefined,
  );
}

async function exists(path: string): Promise<boolean> {
  return (await identity(path)) !== undefined;
}
