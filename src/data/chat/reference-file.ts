import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { sha256 } from '../../base/hash.js';

/** The parts of a data set. */
type Part = 'train' | 'validation';

const MANIFEST = 'reference.json';
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const manifestSchema = z.strictObject({
  format: z.literal('meanfield-reference'),
  version: z.literal(1),
  /** Of the data set. */
  fingerprint: z.string(),
  /** The sha256 of the parameters of the model that computed them. */
  base: hash,
  /** The sha256 of the files. */
  train: hash,
  validation: hash,
});

/** What stored log probabilities are of: a data set, and the model that computed them. */
export interface ReferenceKey {
  readonly fingerprint: string;
  readonly base: string;
}

const nameOf = (part: Part) => `${part}-reference.f32`;

/** Names of the files that {@link readReference} reads of the training part. */
export const referenceFiles = (): string[] => [MANIFEST, nameOf('train')];

/** Whether a data set's folder holds the log probabilities of its answers by that model, whole. */
export async function holdsReference(folder: string, { fingerprint, base }: ReferenceKey): Promise<boolean> {
  try {
    const manifest = await readManifest(folder);
    if (manifest.fingerprint !== fingerprint || manifest.base !== base) return false;
    await readReference(folder, 'train');
    await readReference(folder, 'validation');
    return true;
  } catch (error) {
    if (error instanceof MeanfieldError) return false;
    throw error;
  }
}

/** Stores the log probability of each answer, two a pair, beside a data set; the manifest comes last. */
export async function writeReference(
  folder: string,
  { fingerprint, base }: ReferenceKey,
  parts: Readonly<Record<Part, Float32Array>>,
): Promise<void> {
  requireLittleEndian();
  const write = async (part: Part) => {
    const { buffer, byteOffset, byteLength } = parts[part];
    return (await writeFileAtomic(join(folder, nameOf(part)), new Uint8Array(buffer, byteOffset, byteLength))).sha256;
  };
  const [train, validation] = [await write('train'), await write('validation')];
  const manifest = { format: 'meanfield-reference', version: 1, fingerprint, base, train, validation };
  await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * The log probability of each answer of a part, two a pair.
 *
 * @throws MeanfieldError when the folder does not hold them as they were written
 */
export async function readReference(folder: string, part: Part): Promise<Float32Array> {
  requireLittleEndian();
  const manifest = await readManifest(folder);
  const path = join(folder, nameOf(part));
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unusable(path, messageOf(error), error);
  });
  if (sha256(bytes) !== manifest[part]) throw unusable(path, 'its sha256 is not the one that was written');
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

async function readManifest(folder: string): Promise<z.output<typeof manifestSchema>> {
  const path = join(folder, MANIFEST);
  try {
    return manifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw unusable(path, messageOf(error), error);
  }
}

function unusable(path: string, why: string, cause?: unknown): MeanfieldError {
  return new MeanfieldError(
    `${path} does not hold the reference's log probabilities: ${why.slice(0, 300)}. Resume the run where it was started, ` +
      'which computes them again.',
    { cause },
  );
}

function requireLittleEndian(): void {
  if (endianness() !== 'LE')
    throw new MeanfieldError('Stored log probabilities can be used on little-endian machines alone.');
}
