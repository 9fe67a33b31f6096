import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { isJsonObject, type JsonValue } from '../base/json.js';
import { printable } from '../base/printable.js';
import type { TensorInfo } from '../base/safetensors-header.js';
import { someNames } from '../model/config-rules.js';
import type { NamedWeights } from './match-tensors.js';

/** What can be done for shards that do not fit their index. */
export const SHARD_ADVICE = 'Take all files of the model again from where it comes.';

/** More files than any model is cut into. */
const MOST_SHARDS = 4096;

/**
 * Which file holds which tensor, of a `model.safetensors.index.json` (`weight_map` of Python `transformers`).
 *
 * @throws MeanfieldError when it is no such map, or names a file elsewhere
 */
export function parseShardMap(index: JsonValue, path: string): ReadonlyMap<string, string> {
  const map = isJsonObject(index) ? index.weight_map : undefined;
  if (!isJsonObject(map) || Object.keys(map).length === 0) {
    throw new MeanfieldError(`${path} is damaged: expected weight_map, from tensors to files. ${SHARD_ADVICE}`);
  }
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/\.safetensors$/.test(file) || basename(file) !== file || file.includes('\\')) {
      throw new MeanfieldError(
        `${path} says that ${shown(tensor)} lies in ${shown(file)}: expected a .safetensors file of its own folder. ` +
          SHARD_ADVICE,
      );
    }
    files.set(tensor, file);
  }
  const shards = new Set(files.values()).size;
  if (shards > MOST_SHARDS) {
    throw new MeanfieldError(`${path} names ${shards} files; at most ${MOST_SHARDS} are read.`);
  }
  return files;
}

/**
 * The weights of a model that is cut into several safetensors files, as one.
 *
 * @param index the path of `model.safetensors.index.json`
 * @param take hands over an open file of the folder, or undefined where there is none of the name
 * @throws MeanfieldError when a shard is missing or damaged, or a tensor is not where the index says
 */
export async function openShards(
  index: string,
  map: ReadonlyMap<string, string>,
  take: (name: string) => FileHandle | undefined,
): Promise<NamedWeights & { close(): Promise<void> }> {
  const shards = new Map<string, SafetensorsFile>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const name of new Set(map.values())) {
      const path = join(dirname(index), name);
      const file = take(name);
      if (file === undefined) throw new MeanfieldError(`${path} is missing, which ${index} names. ${SHARD_ADVICE}`);
      shards.set(name, await SafetensorsFile.from(file, path));
    }
    return { path: index, tensors: tensorsOf(index, map, shards), readFloat32, readRange, state, close };
  } catch (error) {
    await close();
    throw error;
  }

  async function state(): Promise<string> {
    return (await Promise.all([...shards.values()].map((shard) => shard.state()))).join('\n');
  }

  function shardOf(name: string): SafetensorsFile {
    const shard = shards.get(map.get(name) ?? '');
    if (shard === undefined) throw new MeanfieldError(`${index} names no tensor ${shown(name)}.`);
    return shard;
  }

  async function readRange(name: string, from: number, target: Uint8Array): Promise<void> {
    await shardOf(name).readRange(name, from, target);
  }

  async function readFloat32(name: string, target?: Float32Array): Promise<Float32Array> {
    return shardOf(name).readFloat32(name, target);
  }
}

function tensorsOf(
  index: string,
  map: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
): ReadonlyMap<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  for (const [tensor, file] of map) {
    const info = shards.get(file)!.tensors.get(tensor);
    if (info === undefined) {
      throw new MeanfieldError(
        `${index} says that ${shown(tensor)} lies in ${file}, which does not have it. ${SHARD_ADVICE}`,
      );
    }
    tensors.set(tensor, info);
  }
  for (const [file, shard] of shards) {
    const others = [...shard.tensors.keys()].filter((name) => map.get(name) !== file);
    if (others.length > 0) {
      throw new MeanfieldError(
        `${shard.path} holds tensors that ${index} does not name for it: ${someNames(others.map(printable))}. ` +
          SHARD_ADVICE,
      );
    }
  }
  return tensors;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return printable(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
