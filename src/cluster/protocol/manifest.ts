import { z } from 'zod';
import { messageOf } from '../../base/errors.js';
import { inParallel } from '../../base/in-parallel.js';
import { BlobDamagedError } from '../../transport/errors.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import { atOnce, type HeldParts, isFile, type PartFile, sizesOf, withParts, writeParts } from '../parts.js';
import { blobRef, decodeMessage, encodeMessage, ownerOf } from './wire.js';

const manifest = z.array(blobRef).max(4096);
/** Bytes of a reference in a list at most: its key has 200, its hash 64. */
const REFERENCE_BYTES = 400;

/** What a list of parts must name: so many, of these sizes, and whose blobs they are. */
export interface ExpectedParts {
  /** null: anybody's. */
  readonly owner: string | null;
  readonly bytes: readonly number[];
}

/** Whether the list itself is too long to be one of so many parts. */
export function isTooLong(list: BlobRef, parts: number): boolean {
  return list.bytes > 2 + REFERENCE_BYTES * parts;
}

/**
 * Stores parts as blobs, and the list of them as one more.
 *
 * @param prefix the blobs' keys are `prefix/0`, `prefix/1`, … and `prefix/list`
 * @returns the list's reference
 */
export async function putParts(
  blobs: BlobStore,
  prefix: string,
  parts: HeldParts,
  signal?: AbortSignal,
): Promise<BlobRef> {
  const put = (part: Uint8Array, i: number) => blobs.put(`${prefix}/${i}`, part, signal);
  const sizes = sizesOf(parts);
  const refs = await (isFile(parts)
    ? withParts(parts, (part) => inParallel(sizes.keys(), async (i) => put(await part(i), i), atOnce(sizes)))
    : inParallel(parts, put));
  return putList(blobs, prefix, refs, signal);
}

/** Stores a list of blobs that are stored already. */
export function putList(
  blobs: BlobStore,
  prefix: string,
  refs: readonly BlobRef[],
  signal?: AbortSignal,
): Promise<BlobRef> {
  return blobs.put(`${prefix}/list`, encodeMessage(refs), signal);
}

/** @throws BlobMissingError when the list is not there, BlobDamagedError when it is damaged or none */
export async function getList(blobs: BlobStore, ref: BlobRef, signal?: AbortSignal): Promise<BlobRef[]> {
  const bytes = await blobs.get(ref, undefined, signal);
  try {
    return decodeMessage(bytes, manifest, `a list of blobs in ${ref.key}`);
  } catch (error) {
    throw new BlobDamagedError(messageOf(error), { cause: error });
  }
}

/**
 * As {@link getList}, of parts whose sizes follow from the layout: nothing larger is fetched or made room for.
 *
 * @throws BlobDamagedError also when the list names other parts
 */
export async function getPartList(
  blobs: BlobStore,
  ref: BlobRef,
  { owner, bytes }: ExpectedParts,
  signal?: AbortSignal,
): Promise<BlobRef[]> {
  if (isTooLong(ref, bytes.length))
    throw new BlobDamagedError(`${ref.key} has ${ref.bytes} bytes, too many for a list of ${bytes.length} parts`);
  const refs = await getList(blobs, ref, signal);
  if (refs.length !== bytes.length)
    throw new BlobDamagedError(`${ref.key} names ${refs.length} parts; the model has ${bytes.length} there`);
  for (const [i, part] of refs.entries()) {
    if (owner !== null && ownerOf(part) !== owner) throw new BlobDamagedError(`${part.key} is not ${owner}'s`);
    if (part.bytes !== bytes[i]) throw new BlobDamagedError(`${part.key} has ${part.bytes} bytes, not ${bytes[i]}`);
  }
  return refs;
}

/** All parts that a list names, in order. */
export async function getParts(
  blobs: BlobStore,
  list: BlobRef,
  expected: ExpectedParts,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const refs = await getPartList(blobs, list, expected, signal);
  return inParallel(refs, (ref) => blobs.get(ref, undefined, signal));
}

/** Blobs as a file of this machine. @throws MeanfieldError also when it cannot be written */
export function getPartFile(
  blobs: BlobStore,
  refs: readonly BlobRef[],
  path: string,
  signal?: AbortSignal,
): Promise<PartFile> {
  const sizes = refs.map(({ bytes }) => bytes);
  const get = (put: (i: number, part: Uint8Array) => Promise<void>) =>
    inParallel(refs, async (ref, i) => put(i, await blobs.get(ref, undefined, signal)), atOnce(sizes));
  return writeParts(path, sizes, get);
}
