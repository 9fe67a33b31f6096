import { MeanfieldError } from '../base/errors.js';
import { inParallel } from '../base/in-parallel.js';
import { cutRanges } from '../training/ranges.js';
import type { BlobRef, BlobStore } from '../transport/transport.js';
import type { PartFile } from './parts.js';
import { getList, getPartFile, putParts } from './protocol/manifest.js';

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
  const refs = await getSnapshotList(blobs, list, count, length, signal);
  const vectors = Array.from({ length: count }, () => new Float32Array(length));
  const parts = vectors.flatMap(cutParts);
  await inParallel(refs, (ref, i) => blobs.get(ref, parts[i]!, signal));
  return vectors;
}

/** As {@link getSnapshot}, into a file of this machine: few parts are in memory at once. */
export async function getSnapshotFile(
  blobs: BlobStore,
  list: BlobRef,
  count: number,
  length: number,
  path: string,
  signal?: AbortSignal,
): Promise<PartFile> {
  return getPartFile(blobs, await getSnapshotList(blobs, list, count, length, signal), path, signal);
}

async function getSnapshotList(
  blobs: BlobStore,
  list: BlobRef,
  count: number,
  length: number,
  signal?: AbortSignal,
): Promise<BlobRef[]> {
  const refs = await getList(blobs, list, signal);
  const one = [...cutRanges(0, length, PART)].map(({ start, end }) => 4 * (end - start));
  const sizes = Array.from({ length: count }, () => one).flat();
  if (refs.length === sizes.length && refs.every(({ bytes }, i) => bytes === sizes[i])) return refs;
  const bytes = refs.reduce((sum, ref) => sum + ref.bytes, 0);
  throw new MeanfieldError(
    `The snapshot ${list.key} has ${bytes} bytes in ${refs.length} parts; ${count} vectors of ${length} have ${4 * count * length} in ${sizes.length}.`,
  );
}

/** Views of a vector's bytes. */
function cutParts(vector: Float32Array): Uint8Array[] {
  return [...cutRanges(0, vector.length, PART)].map(
    ({ start, end }) => new Uint8Array(vector.buffer, vector.byteOffset + 4 * start, 4 * (end - start)),
  );
}
