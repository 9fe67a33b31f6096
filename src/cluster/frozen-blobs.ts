import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { MeanfieldError } from '../base/errors.js';
import { writeFileAtomic } from '../base/files/atomic.js';
import type { Model } from '../model/model.js';
import type { FrozenPart } from '../run/frozen-part.js';
import type { BlobRef, BlobStore } from '../transport/transport.js';
import { isWhole } from './fetch-data.js';
import type { Configuration } from './protocol/configuration.js';
import { getList, putList } from './protocol/manifest.js';

/** Bytes of a part, as of a snapshot's: large enough for a line, and never two of them in memory. */
const PART = 2 ** 24;
/** Bytes of a parameter's entry in the head of a safetensors file, at most: its name, its shape, where it lies. */
const PER_ENTRY = 1000;

/** Stores a run's frozen parameters for who joins: once, since they never change. */
export async function putFrozen(
  blobs: BlobStore,
  { path, sha256 }: FrozenPart,
  signal?: AbortSignal,
): Promise<NonNullable<Configuration['frozen']>> {
  const file = await open(path, 'r');
  try {
    const { size: bytes } = await file.stat();
    const refs: BlobRef[] = [];
    for (let start = 0; start < bytes; start += PART) {
      const part = new Uint8Array(Math.min(PART, bytes - start));
      for (let done = 0; done < part.length; ) {
        const { bytesRead } = await file.read(part, done, part.length - done, start + done);
        if (bytesRead === 0) throw new MeanfieldError(`${path} was cut while it was read: restore it from a copy.`);
        done += bytesRead;
      }
      refs.push(await blobs.put(`run/frozen/${refs.length}`, part, signal));
    }
    return { bytes, sha256, list: await putList(blobs, 'run/frozen', refs, signal) };
  } finally {
    await file.close();
  }
}

/**
 * Brings a run's frozen parameters onto this machine, where they are not there already.
 *
 * @param path of the file to be
 * @returns undefined where the run has none
 * @throws MeanfieldError when they cannot be those of the model, or a part is missing or damaged
 */
export async function fetchFrozen(
  { frozen, setup }: Pick<Configuration, 'frozen' | 'setup'>,
  model: Model,
  path: (sha256: string) => string,
  { blobs, signal }: { readonly blobs: BlobStore; readonly signal?: AbortSignal },
): Promise<FrozenPart | undefined> {
  requireFits(frozen, model);
  if (frozen === undefined) return undefined;
  const { freeze, adapter, baseDtype } = setup;
  const parts = { ...(freeze && { freeze }), ...(adapter && { adapter }), ...(baseDtype && { baseDtype }) };
  const part = { ...parts, path: path(frozen.sha256), sha256: frozen.sha256 };
  if (!(await isWhole(part.path, frozen))) await writeFileAtomic(part.path, received(frozen, blobs, signal));
  return part;
}

/** Nothing is fetched that would take more room than the model has use for. */
function requireFits(frozen: Configuration['frozen'], { frozen: { size, entries } }: Model): void {
  const least = 4 * size;
  const most = least + PER_ENTRY * (entries.length + 1);
  const bytes = frozen?.bytes ?? 0;
  if (size === 0 ? frozen === undefined : least <= bytes && bytes <= most) return;
  throw new MeanfieldError(
    `The run's configuration contradicts itself: its model has ${size} frozen parameters, which take ${least} bytes and ` +
      `a head, and their file has ${bytes}.`,
  );
}

async function* received(
  { bytes, sha256, list }: NonNullable<Configuration['frozen']>,
  blobs: BlobStore,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const refs = await getList(blobs, list, signal);
  const sum = refs.reduce((all, ref) => all + ref.bytes, 0);
  if (sum !== bytes || refs.some((ref) => ref.bytes > PART))
    throw new MeanfieldError(`The parts in ${list.key} have ${sum} bytes; the frozen parameters have ${bytes}.`);
  const hash = createHash('sha256');
  for (const ref of refs) {
    const part = await blobs.get(ref, undefined, signal);
    hash.update(part);
    yield part;
  }
  if (hash.digest('hex') !== sha256)
    throw new MeanfieldError(`What ${list.key} names is not the run's frozen parameters: its sha256 differs.`);
}
