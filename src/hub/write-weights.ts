import { join } from 'node:path';
import { writeFileSynced } from '../base/files/atomic.js';
import { jsonText } from '../base/json.js';
import { DTYPE_BYTES } from '../base/safetensors-dtype.js';
import { encodeSafetensorsInPieces, type NamedTensor, type RoundedDtype } from '../base/safetensors-writer.js';
import { SHARD_INDEX, WEIGHTS } from './model-files.js';

/** How weights are written. */
export interface WriteWeightsOptions {
  /** What their numbers are rounded to; left out, single precision. */
  readonly rounded?: RoundedDtype | undefined;
  /** Tensors of a file take at most so many bytes, where one tensor does not take more. */
  readonly shardBytes: number;
  /** Called with the bytes of each piece before it is written; what it throws ends the work. */
  readonly told?: ((bytes: number) => void) | undefined;
}

/** A tensor that is read when it is written. */
export interface ReadTensor extends Omit<NamedTensor, 'data'> {
  /** Its elements, which are another's when the next tensor is read. */
  read(): Promise<Float32Array>;
}

const elements = (tensors: Iterable<Pick<NamedTensor, 'shape'>>): number =>
  [...tensors].reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);

/** Bytes that tensors take in a file. */
export const weightBytes = (tensors: Iterable<Pick<NamedTensor, 'shape'>>, rounded?: RoundedDtype): number =>
  elements(tensors) * DTYPE_BYTES[rounded ?? 'F32'];

/**
 * Writes a model's weights into a folder that is being made: `model.safetensors`, or several files with
 * `model.safetensors.index.json`, cut as `save_pretrained` of Python `transformers` cuts them: a file is full where the
 * next tensor would make it too large (huggingface_hub, `serialization/_base.py`).
 *
 * @returns the sha256 of each file by name
 */
export async function writeWeights(
  folder: string,
  tensors: readonly (NamedTensor | ReadTensor)[],
  { rounded, shardBytes, told }: WriteWeightsOptions,
): Promise<Record<string, string>> {
  const shards = shardsOf(tensors, (tensor) => weightBytes([tensor], rounded), shardBytes);
  const name = (i: number) =>
    shards.length === 1 ? WEIGHTS : `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
  const hashes: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const byName = new Map(shard.map((tensor) => [tensor.name, tensor]));
    const read = async function* (tensor: string) {
      const one = byName.get(tensor)!;
      yield 'data' in one ? one.data : await one.read();
    };
    const bytes = encodeSafetensorsInPieces(shard, read, { format: 'pt' }, rounded);
    hashes[name(i)] = (await writeFileSynced(join(folder, name(i)), watched(bytes, told))).sha256;
  }
  if (shards.length > 1) {
    const files = shards.flatMap((shard, i) => shard.map((tensor) => [tensor.name, name(i)] as const));
    const index = {
      metadata: {
        total_parameters: elements(tensors),
        total_size: weightBytes(tensors, rounded),
      },
      weight_map: Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1))),
    };
    hashes[SHARD_INDEX] = (await writeFileSynced(join(folder, SHARD_INDEX), jsonText(index))).sha256;
  }
  return hashes;
}

/** Cuts a list into parts of at most so many bytes, each of one element at least. */
function shardsOf<T>(list: readonly T[], bytesOf: (one: T) => number, most: number): T[][] {
  const parts: T[][] = [[]];
  let bytes = 0;
  for (const one of list) {
    const more = bytesOf(one);
    if (parts.at(-1)!.length > 0 && bytes + more > most) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(one);
    bytes += more;
  }
  return parts;
}

const digits = (number: number): string => String(number).padStart(5, '0');

async function* watched(pieces: AsyncIterable<Uint8Array>, told?: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    told?.(piece.length);
    yield piece;
  }
}
