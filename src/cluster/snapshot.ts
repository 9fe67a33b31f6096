import { MeanfieldError } from '../base/errors.js';
import { inParallel } from '../base/in-parallel.js';
import type { BlobRef, BlobStore } from '../transport/transport.js';
import { getList, putParts } from './protocol/manifest.js';

/** Elements of a part: large enough for a line, small enough to be fetched many at a time. */
const PART = 2 ** 22;

/** Stores committed vectors of one length as float32, little-endian, one part after another; answers the list of parts. */
export function putSnapshot(
  blobs: BlobStore,
  prefix: string,
  vectors: readonly Float32Array[],
  signal?: AbortSignal,
): Promise<BlobRef> {
  return putParts(blobs, prefix, vectors.flatMap(cutParts), signal);
}

/**
 * Fetches committed vectors, several parts at a time.
 *
 * @param count how many vectors there are, each of `length` elements
 * @throws MeanfieldError when a part is missing, damaged, or not of the size that the vectors have
 */
export async function getSnapshot(
  blobs: BlobStore,
  list: BlobRef,
  count: number,
  length: number,
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const refs = await getList(blobs, list, signal);
  const vectors = Array.from({ length: count }, () => new Float32Array(length));
  const parts = vectors.flatMap(cutParts);
  if (refs.length !== parts.length || refs.some(({ bytes }, i) => bytes !== parts[i]!.length)) {
    const bytes = refs.reduce((sum, ref) => sum + ref.bytes, 0);
    throw new MeanfieldError(
      `The snapshot ${list.key} has ${bytes} bytes in ${refs.length} parts; ${count} vectors of ${length} have ${4 * count * length} in ${parts.length}.`,
    );
  }
  await inParallel(refs, (ref, i) => blobs.get(ref, parts[i]!, signal));
  return vectors;
}

/** Views of a vector's bytes. */
function cutParts(vector: Float32Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start < vector.length; start += PART) {
    const length = Math.min(PART, vector.length - start);
    parts.push(new Uint8Array(vector.buffer, vector.byteOffset + 4 * start, 4 * length));
  }
  return parts;
}
