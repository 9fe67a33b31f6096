import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { type FileContent, writeFileSynced } from '../base/files/atomic.js';
import { removeFolder, repairFolder, writeFolderAtomic } from '../base/files/folder-swap.js';
import { readJsonFile } from '../base/files/json-file.js';
import { makeFolder } from '../base/files/make-folder.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { sha256File } from '../base/hash.js';
import { isJsonObject, type JsonValue, jsonText } from '../base/json.js';
import { encodeSafetensors, type NamedTensors, type StorableTensor } from '../base/safetensors-writer.js';

/** What a checkpoint holds. */
export interface CheckpointContent {
  /** The outer parameters. */
  readonly model: NamedTensors;
  /** Moments of the inner optimiser and momentum of the outer one. */
  readonly optimizer: Iterable<StorableTensor>;
  /** All else that the run needs to continue bit for bit. */
  readonly state: JsonValue;
  /** Texts for the `__metadata__` of `model.safetensors`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a checkpoint holds, its files as they are to be written. */
export interface CheckpointFiles extends Pick<CheckpointContent, 'state'> {
  readonly model: FileContent;
  readonly optimizer: FileContent;
}

/** A checkpoint whose every byte was found as it was written. {@link close} it after reading. */
export interface Checkpoint {
  readonly step: number;
  /** Its folder. */
  readonly path: string;
  readonly state: JsonValue;
  /** Fills given arrays: `await checkpoint.model.fill(tensors)`. */
  readonly model: SafetensorsFile;
  readonly optimizer: SafetensorsFile;
  close(): Promise<void>;
}

const FILES = ['model.safetensors', 'optimizer.safetensors', 'state.json'] as const;
/** In the form of `sha256sum`, so that `sha256sum -c sha256` checks a checkpoint too. */
const HASHES = 'sha256';

/**
 * Saves the folder `checkpoints/000500` with `model.safetensors`, `optimizer.safetensors`, `state.json` and the hashes of
 * the three in `sha256`. It is there whole or not at all, whenever the process is killed. The tensors' memory must not
 * change until the promise resolves.
 *
 * Checkpoints of later steps are deleted: the run has gone back behind them, because they were damaged.
 *
 * @param checkpoints the run's folder of checkpoints; the caller holds the run's lock
 * @param options.keep delete all but the newest `keep` (1 or more); all stay when left out
 * @throws MeanfieldError when there is no space left; earlier checkpoints are unharmed
 */
export function saveCheckpoint(
  checkpoints: string,
  step: number,
  { model, optimizer, state, metadata }: CheckpointContent,
  options: { readonly keep?: number } = {},
): Promise<void> {
  const files = { model: encodeSafetensors(model, metadata), optimizer: encodeSafetensors(optimizer), state };
  return saveCheckpointFiles(checkpoints, step, files, options);
}

/** As {@link saveCheckpoint}, of files that are made piece by piece. */
export async function saveCheckpointFiles(
  checkpoints: string,
  step: number,
  content: CheckpointFiles,
  options: { readonly keep?: number } = {},
): Promise<void> {
  const { keep = Infinity } = options;
  if (!Number.isSafeInteger(step) || step < 0) throw new Error(`step must be a whole number from 0, got ${step}`);
  if (!(keep >= 1)) throw new Error(`keep must be 1 or more, got ${keep}`);
  await makeFolder(checkpoints);
  await tidyCheckpoints(checkpoints);
  await writeFolderAtomic(checkpointPath(checkpoints, step), async (folder) => {
    const contents = {
      'model.safetensors': content.model,
      'optimizer.safetensors': content.optimizer,
      'state.json': jsonText({ step, state: content.state }),
    };
    let hashes = '';
    for (const name of FILES)
      hashes += `${(await writeFileSynced(join(folder, name), contents[name])).sha256}  ${name}\n`;
    await writeFileSynced(join(folder, HASHES), hashes);
  });
  const steps = await listCheckpoints(checkpoints);
  const kept = steps.filter((other) => other <= step).slice(-keep);
  for (const other of steps) if (!kept.includes(other)) await removeFolder(checkpointPath(checkpoints, other));
}

/** The steps of the checkpoints in a folder, ascending; none when the folder is missing. */
export async function listCheckpoints(checkpoints: string): Promise<number[]> {
  return (await namesIn(checkpoints))
    .filter((name) => /^\d{6,}$/.test(name) && folderName(Number(name)) === name)
    .map(Number)
    .sort((a, b) => a - b);
}

/** The folder of the newest checkpoint, where there is one. */
export async function lastCheckpoint(checkpoints: string): Promise<string | undefined> {
  const step = (await listCheckpoints(checkpoints)).at(-1);
  return step === undefined ? undefined : checkpointPath(checkpoints, step);
}

/** Deletes what a killed process left half written or half deleted; the caller holds the run's lock. */
export async function tidyCheckpoints(checkpoints: string): Promise<void> {
  const left = (await namesIn(checkpoints)).map((name) => /^(\d{6,})\.(?:tmp|old)$/.exec(name)?.[1]);
  for (const name of new Set(left)) if (name !== undefined) await repairFolder(join(checkpoints, name));
}

/**
 * Opens the newest checkpoint that is sound. Notices say which damaged ones were passed over, and why.
 *
 * @param checkpoints the run's folder of checkpoints; the caller holds the run's lock
 * @param check looks at its state; a MeanfieldError goes back to the checkpoint before, as damage does
 * @returns no checkpoint when none was saved yet
 * @throws MeanfieldError when all are damaged
 *
 * @example
 * const { checkpoint, notices } = await loadLatestCheckpoint('runs/demo/checkpoints');
 * await checkpoint?.model.fill([{ name: 'wte.weight', shape: [65, 128], data: vector.subarray(0, 65 * 128) }]);
 * await checkpoint?.close();
 */
export async function loadLatestCheckpoint(
  checkpoints: string,
  check: (checkpoint: Checkpoint) => void = () => {},
): Promise<{ readonly checkpoint?: Checkpoint; readonly notices: readonly string[] }> {
  await tidyCheckpoints(checkpoints);
  const damaged: string[] = [];
  for (const step of (await listCheckpoints(checkpoints)).reverse()) {
    try {
      const checkpoint = await loadCheckpoint(checkpoints, step);
      try {
        check(checkpoint);
      } catch (error) {
        await checkpoint.close();
        throw error;
      }
      return { checkpoint, notices: damaged.map((fault) => `${fault} Went back to the one of step ${step}.`) };
    } catch (error) {
      if (!(error instanceof MeanfieldError)) throw error;
      damaged.push(error.message);
    }
  }
  if (damaged.length === 0) return { notices: [] };
  throw new MeanfieldError(
    `No checkpoint in ${checkpoints} is sound:\n${damaged.slice(0, 5).join('\n')}\n` +
      'Restore one from a copy, or delete that folder to start again at step 0.',
  );
}

/**
 * Opens the checkpoint of one step after comparing every file with its hash.
 *
 * @throws MeanfieldError that names the damaged file
 */
export async function loadCheckpoint(checkpoints: string, step: number): Promise<Checkpoint> {
  const path = checkpointPath(checkpoints, step);
  try {
    const hashes = await readFile(join(path, HASHES), 'utf8');
    const found = await Promise.all(FILES.map(async (name) => `${await sha256File(join(path, name))}  ${name}\n`));
    const wrong = FILES.filter((_, i) => !hashes.includes(found[i]!));
    if (wrong.length > 0 || hashes !== found.join('')) {
      throw new MeanfieldError(`${wrong.join(', ') || 'more'} and what ${HASHES} says differ`);
    }
  } catch (error) {
    throw new MeanfieldError(`The checkpoint ${path} is damaged: ${messageOf(error)}.`, { cause: error });
  }
  const saved = await readJsonFile(join(path, 'state.json'), 'Use an earlier checkpoint.');
  if (!isJsonObject(saved) || saved.step !== step || saved.state === undefined) {
    throw new MeanfieldError(`The checkpoint ${path} is not of step ${step}: was its folder renamed?`);
  }
  const model = await SafetensorsFile.open(join(path, 'model.safetensors'));
  const optimizer = await SafetensorsFile.open(join(path, 'optimizer.safetensors'));
  const close = async () => {
    await model.close();
    await optimizer.close();
  };
  return { step, path, state: saved.state, model, optimizer, close };
}

/** The folder of a step's checkpoint. */
export function checkpointPath(checkpoints: string, step: number): string {
  return join(checkpoints, folderName(step));
}

/** At least six digits, so that names sort as steps do. */
function folderName(step: number): string {
  return String(step).padStart(6, '0');
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
