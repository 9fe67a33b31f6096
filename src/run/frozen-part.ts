import { MeanfieldError } from '../base/errors.js';
import { writeFileAtomic } from '../base/files/atomic.js';
import { pathFault } from '../base/files/path-fault.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { sha256File } from '../base/hash.js';
import { encodeSafetensors } from '../base/safetensors-writer.js';
import type { TrainedParts } from '../model/adapter.js';
import type { FrozenValues, StoredArray } from '../model/base-storage.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Model } from '../model/model.js';
import type { Checkpoint } from './checkpoint.js';
import { modelTensors } from './model-tensors.js';
import { openBase } from './streamed-base.js';

/** The frozen parameters of a run: which they are, and the file that holds them. */
export interface FrozenPart extends TrainedParts {
  /** A safetensors file of the frozen parameters alone. */
  readonly path: string;
  /** Of the file. */
  readonly sha256: string;
  /** Whether it is the model of that name, of which layers are read one by one; its hash is of its files' state then. */
  readonly streamed?: true;
}

/** Under which the files of a checkpoint name the frozen parameters that they belong to. */
const KEY = 'frozen_sha256';

/** Writes frozen parameters once, before anything is trained beside them. @returns the file's sha256 */
export async function writeFrozen(path: string, layout: ParameterLayout, frozen: Float32Array): Promise<string> {
  return (await writeFileAtomic(path, encodeSafetensors(modelTensors(layout, frozen), { format: 'pt' }))).sha256;
}

/** @throws MeanfieldError when the file is not there, or not the one that it was */
export async function checkFrozen({ path, sha256, streamed }: FrozenPart): Promise<void> {
  if (streamed) return (await openBase(path, sha256)).close();
  const fault = await pathFault(path, 'file');
  const found = fault === undefined ? await sha256File(path) : undefined;
  if (found === sha256) return;
  const what = fault ?? `its sha256 is ${brief(found!)}, expected ${brief(sha256)}: it is damaged, or another model's`;
  throw new MeanfieldError(
    `${path} must hold the frozen parameters of the run: ${what}. Restore it from a copy; checkpoints hold the trained ` +
      'parameters alone, and are of no use without it.',
  );
}

/**
 * The vector of frozen parameters; of no elements where nothing is frozen.
 *
 * @throws MeanfieldError when the file is not there, not the one that it was, or of another layout
 */
export async function readFrozen(part: FrozenPart | undefined, layout: ParameterLayout): Promise<Float32Array> {
  const frozen = new Float32Array(layout.size);
  if (part === undefined) {
    if (layout.size > 0) throw new Error(`${layout.size} parameters are frozen, and no file holds them`);
    return frozen;
  }
  await checkFrozen(part);
  const file = await SafetensorsFile.open(part.path);
  try {
    await file.fill(modelTensors(layout, frozen));
  } finally {
    await file.close();
  }
  return frozen;
}

/**
 * The frozen parameters as the model keeps them in memory: what is kept in few bits is read one matrix at a time, so that
 * never all of them are there in float32. The file has them in float32, as the model was before, for others to use.
 *
 * @throws MeanfieldError as {@link readFrozen}
 */
export async function readStored(
  part: FrozenPart | undefined,
  { frozen, storage }: Pick<Model, 'frozen' | 'storage'>,
): Promise<FrozenValues> {
  if (part === undefined || storage === undefined) return readFrozen(part, frozen);
  await checkFrozen(part);
  const file = await SafetensorsFile.open(part.path);
  try {
    const stored: Record<string, StoredArray> = {};
    for (const entry of frozen.entries) {
      const values = new Float32Array(entry.size);
      await file.readFloat32(entry.name, values);
      Object.assign(stored, storage.store(entry, values));
    }
    return stored;
  } finally {
    await file.close();
  }
}

/** Texts for the head of a checkpoint's parameters, by which it is known what they were trained beside. */
export function checkpointMetadata(part: FrozenPart | undefined): Record<string, string> {
  return { format: 'pt', ...(part && { [KEY]: part.sha256 }) };
}

/** @throws MeanfieldError when the checkpoint's parameters were trained beside other frozen ones than the run's */
export function requireFrozenOf({ path, model }: Pick<Checkpoint, 'path' | 'model'>, part: FrozenPart | undefined) {
  const [found, expected] = [model.metadata[KEY], part?.sha256];
  if (found === expected) return;
  const name = (hash: string | undefined) => (hash === undefined ? 'none' : brief(hash));
  throw new MeanfieldError(
    `The checkpoint ${path} was trained beside other frozen parameters (${name(found)}) than the run's ` +
      `(${name(expected)}): it is another run's. Restore the run's own checkpoints.`,
  );
}

function brief(hash: string): string {
  return hash.slice(0, 12);
}
