import { join } from 'node:path';
import type { BlobStore } from '../transport/transport.js';
import type { ModelHandle } from './model-thread/commands.js';
import type { HeldParts } from './parts.js';
import type { Chain } from './protocol/down.js';
import { getPartFile, getPartList, getParts } from './protocol/manifest.js';
import { getSnapshot, getSnapshotFile } from './snapshot.js';

/** Committed parameters that a machine holds. */
export interface Held {
  readonly round: number;
  readonly hash: string;
}

/** Where committed vectors are held, and how many there are of which length. */
export interface Holder {
  readonly blobs: BlobStore;
  readonly thread: Pick<ModelHandle, 'ask'>;
  readonly vectors: number;
  readonly length: number;
  /** Bytes of each part of a result, by fragment and shard. */
  readonly sizes: readonly (readonly number[])[];
  /** A folder for what is fetched, where it is not to be in memory. */
  readonly folder?: string | undefined;
}

/** What leads from what is held to the end of a chain: whether the snapshot is needed, and the results after that. */
export function pathOf(chain: Chain, held: Held | null): { snapshot: boolean; results: Chain['results'] } {
  const points = [chain.snapshot, ...chain.results];
  const at = held === null ? -1 : points.findIndex(({ round, hash }) => round === held.round && hash === held.hash);
  return { snapshot: at < 0, results: chain.results.slice(Math.max(0, at)) };
}

/**
 * Comes to the committed parameters: by the results since those that are held, or from the snapshot. What is fetched
 * comes while what came before is applied.
 *
 * @param onHeld hears of each step, with the hash that was found, and whether it was the snapshot: an interrupted way goes
 *   on from there
 * @returns what is held then; its hash is the true one, right or wrong
 * @throws MeanfieldError when a blob is missing or damaged
 */
export async function catchUp(
  holder: Holder,
  chain: Chain,
  held: Held | null,
  onHeld: (held: Held, whole: boolean) => void = () => {},
  signal?: AbortSignal,
): Promise<Held> {
  const { thread } = holder;
  const { snapshot, results } = pathOf(chain, held);
  let now = held;
  if (snapshot) {
    const all = await fetchSnapshot(holder, chain.snapshot, signal);
    now = { round: chain.snapshot.round, hash: await thread.ask('load', all) };
    onHeld(now, true);
  }
  let coming = results[0] && fetchResult(holder, results[0], 0, signal);
  for (const [i, { round, fragment }] of results.entries()) {
    const parts = await coming!;
    const next = results[i + 1];
    coming = next && fetchResult(holder, next, i + 1, signal);
    // A failure is seen where it is waited for; before that it must not count as unhandled.
    coming?.catch(() => {});
    const { hash } = await thread.ask('apply', { fragment, parts });
    now = { round, hash };
    onHeld(now, false);
  }
  return now!;
}

function fetchSnapshot(
  { blobs, vectors, length, folder }: Holder,
  { manifest }: Chain['snapshot'],
  signal?: AbortSignal,
) {
  if (folder === undefined) return getSnapshot(blobs, manifest, vectors, length, signal);
  return getSnapshotFile(blobs, manifest, vectors, length, join(folder, 'snapshot'), signal);
}

/** @param i its place among those that are fetched: the one before is still read while it comes */
async function fetchResult(
  { blobs, sizes, folder }: Holder,
  { manifest, fragment }: Chain['results'][number],
  i: number,
  signal?: AbortSignal,
): Promise<HeldParts> {
  const expected = { owner: null, bytes: sizes[fragment] ?? [] };
  if (folder === undefined) return getParts(blobs, manifest, expected, signal);
  const refs = await getPartList(blobs, manifest, expected, signal);
  return getPartFile(blobs, refs, join(folder, `result-${i % 2}`), signal);
}
