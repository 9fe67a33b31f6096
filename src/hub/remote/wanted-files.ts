import { basename } from 'node:path';
import { MeanfieldError } from '../../base/errors.js';
import { isJsonObject, type JsonValue } from '../../base/json.js';
import { printableLine } from '../../base/printable.js';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, SHARD_INDEX, TOKENIZER_FILES, WEIGHTS } from '../model-files.js';
import { MODULES, SENTENCE_SETTINGS, TRANSFORMER_SETTINGS } from '../sentence-folder.js';
import { parseShardMap } from '../sharded-weights.js';

/** A file of a model on the hub. */
export interface RemoteFile {
  /** Below the model's folder, with slashes. */
  readonly path: string;
  readonly size: number;
  /** By which it is kept, and checked: sha256 of its bytes, or what git calls it, sha1 of its length and bytes. */
  readonly hash: string;
  readonly algorithm: 'sha256' | 'git-sha1';
}

const TEXTS: readonly string[] = [
  'config.json',
  'generation_config.json',
  ...TOKENIZER_FILES,
  ADAPTER_CONFIG,
  SHARD_INDEX,
  MODULES,
  SENTENCE_SETTINGS,
  TRANSFORMER_SETTINGS,
];

/** Weights in their order: what stands first is read. */
const WHOLE = [WEIGHTS, ADAPTER_WEIGHTS] as const;

/** Files that a model is described by, without weights: all that are there. */
export function describingFiles(files: ReadonlyMap<string, RemoteFile>): RemoteFile[] {
  return TEXTS.flatMap((name) => files.get(name) ?? []);
}

/**
 * Of a model of sentence-transformers, what describes the parts that its `modules.json` names.
 *
 * @param modules its content; undefined where there is none
 */
export function moduleFiles(files: ReadonlyMap<string, RemoteFile>, modules: JsonValue | undefined): RemoteFile[] {
  return moduleFolders(modules).flatMap((folder) => TEXTS.flatMap((name) => files.get(`${folder}/${name}`) ?? []));
}

/**
 * The files of a model's weights: safetensors alone, whole or as an index says, of each of its parts.
 *
 * @param json the content of a file that was fetched before
 * @throws MeanfieldError when there are none
 */
export async function weightFiles(
  name: string,
  files: ReadonlyMap<string, RemoteFile>,
  modules: JsonValue | undefined,
  json: (path: string) => Promise<JsonValue>,
): Promise<RemoteFile[]> {
  const wanted: RemoteFile[] = [];
  for (const folder of ['', ...moduleFolders(modules).map((one) => `${one}/`)]) {
    const whole = WHOLE.find((one) => files.has(folder + one));
    const index = folder + SHARD_INDEX;
    if (whole !== undefined) wanted.push(files.get(folder + whole)!);
    else if (files.has(index))
      for (const shard of new Set(parseShardMap(await json(index), `${name}: ${index}`).values())) {
        const file = files.get(folder + shard);
        if (file === undefined)
          throw new MeanfieldError(
            `${name} is damaged on the hub: its ${index} names ${shown(shard)}, which is not there.`,
          );
        wanted.push(file);
      }
  }
  if (wanted.length > 0) return wanted;
  const others = [...files.keys()].filter((path) =>
    /\.(?:bin|pt|pth|ckpt|h5|msgpack|gguf|onnx|safetensors)$/.test(path),
  );
  throw new MeanfieldError(
    `${name} of the hub has no ${WEIGHTS}${others.length > 0 ? `, but ${others.slice(0, 3).map(shown).join(', ')}` : ''}. ` +
      'Weights are fetched as safetensors alone: pickled ones run code when they are read. Look for another copy of the model, or ' +
      'convert it in Python: AutoModel.from_pretrained(name).save_pretrained(folder).',
  );
}

/** Folders of parts; those elsewhere are none. */
function moduleFolders(modules: JsonValue | undefined): string[] {
  const paths = (Array.isArray(modules) ? modules : []).map((each) => (isJsonObject(each) ? each.path : undefined));
  return paths.filter(
    (path): path is string =>
      typeof path === 'string' && path !== '' && basename(path) === path && !/^\.|[\\\0]/.test(path),
  );
}

const shown = (text: string): string => printableLine(text.slice(0, 100));
