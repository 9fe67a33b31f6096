import { z } from 'zod';
import { messageOf } from '../../../base/errors.js';
import { inParallel } from '../../../base/in-parallel.js';
import type { BlobRef, BlobStore } from '../../transport.js';
import { BlobDamagedError } from '../../transport-errors.js';
import { blobRef, decodeMessage, encodeMessage } from './wire.js';

const manifest = z.array(blobRef).max(4096);

/**
 * Stores parts as blobs, and the list of them as one more.
 *
 * @param prefix the blobs' keys are `prefix/0`, `prefix/1`, … and `prefix/list`
 * @returns the list's reference
 */
export async function putParts(
  blobs: BlobStore,
  prefix: string,
  parts: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<BlobRef> {
  const refs = await inParallel(parts, (part, i) => blobs.put(`${prefix}/${i}`, part, signal));
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

/** All parts that a list names, in order. */
export async function getParts(blobs: BlobStore, list: BlobRef, signal?: AbortSignal): Promise<Uint8Array[]> {
  const refs = await getList(blobs, list, signal);
  return inParallel(refs, (ref) => blobs.get(ref, undefined, signal));
}
