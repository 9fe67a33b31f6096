import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import packageFile from '../../package.json' with { type: 'json' };
import { writeFileAtomic } from '../base/files/atomic.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { encodeSafetensors } from '../base/safetensors-writer.js';
import type { Model } from '../model/model.js';
import type { WeightPrecision } from './precision.js';
import { type Weights, weightsOf } from './weights.js';

/** Raised when the same weights come to other codes or names. */
const FORMAT = 2;
/** Smaller weights are made sooner than a file is worth. */
const LEAST_BYTES = 2 ** 24;
/** Of all that is kept. */
const MOST_BYTES = 16 * 2 ** 30;
/** After which time what was not written to its end never will be. */
const GIVEN_UP_MS = 3_600_000;

/**
 * Where what can be made again is kept: `MEANFIELD_CACHE`, or `meanfield` in the user's cache; undefined where that variable is
 * empty.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const { MEANFIELD_CACHE, XDG_CACHE_HOME } = environment;
  if (MEANFIELD_CACHE === '') return undefined;
  return MEANFIELD_CACHE ?? join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'meanfield');
}

/**
 * The weights of a model in few bits between two starts: they are read in a tenth of the time that making them takes. What is
 * damaged, or was made of other weights, is as if it were not there.
 */
export class KeptWeights {
  readonly #folder: string;
  readonly #path: string;
  readonly #key: string;

  /**
   * @param place where the model lies: what is kept of its next state comes in the place of this one's
   * @param state tells the model's weights from others, and this state of them from another
   * @param cache the folder of all that is kept
   */
  constructor(
    private readonly model: Model,
    private readonly precision: Exclude<WeightPrecision, 'fp32'>,
    { place, state, cache }: { readonly place: string; readonly state: string; readonly cache: string },
  ) {
    this.#folder = join(cache, 'weights');
    this.#key = hash(JSON.stringify([FORMAT, packageFile.version, precision, state]));
    this.#path = join(this.#folder, `${hash(JSON.stringify([resolve(place), precision])).slice(0, 32)}.safetensors`);
  }

  /** @returns undefined where nothing of this state is kept, or it is damaged */
  async read(): Promise<Weights | undefined> {
    let file: SafetensorsFile | undefined;
    try {
      file = await SafetensorsFile.open(this.#path);
      const { metadata } = file;
      if (metadata.key !== this.#key) return undefined;
      return await weightsOf(this.precision, this.model, async (name, Type, length) => {
        const bytes = await file!.readBytes(name);
        const values = new Type(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / Type.BYTES_PER_ELEMENT);
        if (values.length !== length || metadata[name] !== String(crc32(bytes))) throw new Error(`${name} is damaged`);
        return values as InstanceType<typeof Type>;
      });
    } catch {
      return undefined;
    } finally {
      await file?.close();
    }
  }

  /** Keeps weights in the place of those of another state. @throws MeanfieldError where they cannot be written */
  async write({ constants }: Weights): Promise<void> {
    const sizes = [...constants.values()].map(({ byteLength }) => byteLength);
    if (sizes.reduce((sum, size) => sum + size, 0) < LEAST_BYTES) return;
    const metadata: Record<string, string> = { key: this.#key };
    for (const [name, { buffer, byteOffset, byteLength }] of constants)
      metadata[name] = String(crc32(new Uint8Array(buffer, byteOffset, byteLength)));
    const tensors = [...constants].map(([name, data]) => ({ name, data, shape: [data.length] }));
    await writeFileAtomic(this.#path, encodeSafetensors(tensors, metadata));
    await this.#makeRoom();
  }

  /** Deletes what was left unfinished, and what was kept longest where all is more than it may be. */
  async #makeRoom(): Promise<void> {
    const files = await Promise.all(
      (await readdir(this.#folder)).map(async (name) => {
        const path = join(this.#folder, name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, mtimeMs };
      }),
    );
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size, mtimeMs } of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      const left = path.endsWith('.tmp') && Date.now() - mtimeMs > GIVEN_UP_MS;
      if (!left && (bytes <= MOST_BYTES || path === this.#path)) continue;
      await rm(path, { force: true });
      bytes -= size;
    }
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
