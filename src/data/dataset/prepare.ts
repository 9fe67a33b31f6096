import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { sha256 } from '../../base/hash.js';
import { findFiles } from '../corpus/find-files.js';
import type { CorpusOptions } from '../corpus/types.js';
import { SHARD_TOKENS } from '../shards/shard-writer.js';
import type { MadeTokenizer } from '../tokenizers/kinds.js';
import { SENTINELS } from '../tokenizers/sentinel-tokens.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { vocabularyFor } from '../tokenizers/vocabulary-for.js';
import { encodeWorkers } from './bpe-pool.js';
import type { CorpusFiles } from './corpus-documents.js';
import { encodeCorpus } from './encode-corpus.js';
import { type DatasetManifest, type DatasetSettings, MANIFEST, readManifest } from './manifest.js';
import { type Dataset, datasetOf } from './open.js';
import { type CorpusScan, scanCorpus } from './scan.js';

/** A pair that comes once in a text saves one token of it, and costs a row of the model's embedding. */
const MIN_FREQUENCY = 2;

/** The text is another than the one that was expected. */
export class OtherTextError extends MeanfieldError {
  override name = 'OtherTextError';
}

/** How far {@link prepareDataset} is: bytes of text, or tokens while `merging`. */
export interface PrepareProgress {
  phase: 'reading' | 'counting' | 'merging' | 'encoding';
  done: number;
  total: number;
}

/** What {@link prepareDataset} makes, of what and where. */
export interface PrepareOptions extends CorpusOptions {
  /** The folder for tokens, tokenizer and manifest. It belongs to the data set alone. */
  folder: string;
  /** A kind to make for this text, or a tokenizer to use as it is. */
  tokenizer: MadeTokenizer | Tokenizer;
  /** Tokens for `bpe` to learn, from 257: by the size of the text unless given. The others ignore it. */
  vocabularySize?: number | undefined;
  /** Whether the tokenizer has a mask token as well, counted in its vocabulary; one that is given must have it. */
  mask?: boolean | undefined;
  /** The same of sentinels, which of those that are made a `bpe` alone has. */
  sentinels?: boolean | undefined;
  /** The part of the text, between 0 and 1, that is kept for validation: 0.1 unless given. */
  validationFraction?: number | undefined;
  /** A file or folder of text that validates in place of such a part; where the corpus has it too, it is left out there. */
  heldOut?: string | undefined;
  onProgress?: ((progress: PrepareProgress) => void) | undefined;
  /** Threads for `bpe`, 0 for none; chosen by the machine and the size of the text unless given. */
  workers?: number | undefined;
  /** Tokens in one file on disk. */
  shardTokens?: number | undefined;
  /** The fingerprint that the data set must have: with any other text nothing is made, or unmade. */
  expected?: string | undefined;
}

/**
 * Turns a corpus into tokens on disk, in a training and a validation part (fewer than 20 documents are cut at
 * the end of the text, else whole documents are chosen by their hash), making the tokenizer for it where asked: `chars`
 * over the whole corpus, `bpe` over the training part. A folder that already holds the tokens of the same text and
 * settings is used as it is. Memory does not grow with the corpus (for `bpe`, with its different words).
 *
 * The manifest is removed first and written last: if the process dies in between, the next call starts over.
 *
 * @throws MeanfieldError when the text cannot be read or encoded, or the disk is full; OtherTextError when it is not the
 * one that was expected; UsageError for a wrong option; DOMException (AbortError) when stopped by the signal
 */
export async function prepareDataset(options: PrepareOptions): Promise<Dataset & { reused: boolean }> {
  const { heldOut: held } = options;
  const except = [...(options.except ?? []), options.folder];
  const heldOut = held === undefined ? undefined : await findFiles({ ...options, paths: [held], except });
  const others = heldOut?.files.map(({ path }) => path) ?? [];
  const found = await findFiles({ ...options, except: [...except, ...others] });
  const settings = checkedSettings(options, heldOut?.files.length);
  const inputs = [...found.files, ...(heldOut?.files ?? [])].map(({ path, size, modified }) => ({
    path: resolve(path),
    size,
    modified,
  }));

  const old = (await readManifest(options.folder)).manifest;
  const sameSettings = old !== undefined && JSON.stringify(old.settings) === JSON.stringify(settings);
  if (sameSettings && JSON.stringify(old.inputs) === JSON.stringify(inputs)) {
    const dataset = await wholeDataset(options.folder, old, options.signal);
    if (dataset !== undefined) return { ...dataset, reused: true };
  }

  const total = inputs.reduce((sum, { size }) => sum + size, 0);
  const scan = await scanCorpus(
    { ...options, validationFraction: settings.validationFraction, characters: options.tokenizer === 'chars' },
    { found, heldOut },
    (done) => options.onProgress?.({ phase: 'reading', done, total: Math.max(total, done) }),
  );
  if (sameSettings && old.content === scan.content) {
    const manifest = { ...old, inputs };
    const dataset = await wholeDataset(options.folder, manifest, options.signal);
    if (dataset !== undefined) {
      await writeManifest(options.folder, manifest);
      return { ...dataset, reused: true };
    }
  }

  const fingerprint = fingerprintOf(settings, scan.content);
  if (options.expected !== undefined && fingerprint !== options.expected) {
    throw new OtherTextError(
      `The text in ${options.paths.join(', ')} is not the one that the tokens in ${options.folder} were made of. ` +
        'Restore the text, or prepare this one in another folder.',
    );
  }
  const manifest = await makeDataset(options, settings, scan, { found, heldOut }, inputs);
  return { ...(await datasetOf(options.folder, manifest)), reused: false };
}

async function makeDataset(
  options: PrepareOptions,
  settings: DatasetSettings,
  scan: CorpusScan,
  files: CorpusFiles,
  inputs: DatasetManifest['inputs'],
): Promise<DatasetManifest> {
  await rm(join(options.folder, MANIFEST), { force: true });
  const { tokenizer, train, validation } = await encodeCorpus(options, scan, files, {
    folder: options.folder,
    tokenizer: options.tokenizer,
    mask: settings.mask === true,
    sentinels: settings.sentinels === true,
    vocabularySize:
      settings.vocabularySize || vocabularyFor(scan.statistics.bytes) + (settings.sentinels ? SENTINELS : 0),
    minFrequency: MIN_FREQUENCY,
    workers: options.workers ?? encodeWorkers(scan.statistics.bytes),
    shardTokens: options.shardTokens ?? SHARD_TOKENS,
    onProgress: options.onProgress,
  });
  options.signal?.throwIfAborted();
  const texts = tokenizer.files();
  for (const name of ['tokenizer.json', 'tokenizer_config.json'] as const) {
    await writeFileAtomic(join(options.folder, name), texts[name]);
  }
  const manifest: DatasetManifest = {
    format: 'meanfield-dataset',
    settings,
    content: scan.content,
    fingerprint: fingerprintOf(settings, scan.content),
    inputs,
    statistics: scan.statistics,
    tokenizerFiles: {
      'tokenizer.json': sha256(texts['tokenizer.json']),
      'tokenizer_config.json': sha256(texts['tokenizer_config.json']),
    },
    train,
    validation,
  };
  await writeManifest(options.folder, manifest);
  return manifest;
}

function fingerprintOf(settings: DatasetSettings, content: string): string {
  return sha256(JSON.stringify([settings, content]));
}

/** The data set of a manifest if every file of it is as it was written; else undefined, and it is made again. */
async function wholeDataset(
  folder: string,
  manifest: DatasetManifest,
  signal?: AbortSignal,
): Promise<Dataset | undefined> {
  try {
    const dataset = await datasetOf(folder, manifest);
    await dataset.train.verify(signal);
    await dataset.validation.verify(signal);
    return dataset;
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

async function writeManifest(folder: string, manifest: DatasetManifest): Promise<void> {
  await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** @param heldOut files that validate, where they are files of their own */
function checkedSettings(options: PrepareOptions, heldOut: number | undefined): DatasetSettings {
  const { tokenizer, vocabularySize, validationFraction, field, mask = false, sentinels = false } = options;
  const fraction = validationFraction ?? 0.1;
  if (!(fraction > 0 && fraction < 1)) {
    throw new UsageError(
      `The validation fraction must be more than 0 and less than 1, for example 0.1, not ${fraction}.`,
    );
  }
  const size = tokenizer === 'bpe' ? (vocabularySize ?? 0) : 0;
  const marks = (mask ? 1 : 0) + (sentinels ? SENTINELS : 0);
  const least = 257 + marks;
  const special = marks === 0 ? 'one special token' : `${marks === 1 ? 'two' : 1 + marks} special tokens`;
  if (
    tokenizer === 'bpe' &&
    vocabularySize !== undefined &&
    !(Number.isInteger(size) && size >= least && size <= 2 ** 20)
  ) {
    throw new UsageError(
      `A bpe tokenizer has 256 bytes and ${special} before it learns any ` +
        `other: its vocabulary must be from ${least} to ${2 ** 20}, not ${size}.`,
    );
  }
  if (mask && typeof tokenizer !== 'string' && tokenizer.mask === undefined) {
    throw new UsageError(
      'Masked-language training needs a tokenizer with a mask token, and this one has none: its tokenizer_config.json ' +
        'names no mask_token that its tokenizer.json has. Take another, or have one made: chars, bytes or bpe.',
    );
  }
  if (
    sentinels && typeof tokenizer === 'string' ? tokenizer !== 'bpe' : sentinels && !(tokenizer as Tokenizer).sentinels
  ) {
    throw new UsageError(
      'Learning to write spans that are left out of a text needs a tokenizer with tokens that stand for them ' +
        `(<extra_id_0> and on), which ${typeof tokenizer === 'string' ? `${tokenizer} tokenizers have` : 'this one has'} not. ` +
        'Take that of a T5, or have a bpe made.',
    );
  }
  return {
    version: 1,
    field: field ?? 'text',
    tokenizer: typeof tokenizer === 'string' ? tokenizer : sha256(tokenizer.files()['tokenizer.json']),
    vocabularySize: size,
    validationFraction: fraction,
    ...(heldOut !== undefined && { heldOut }),
    ...(tokenizer === 'bpe' && { minFrequency: MIN_FREQUENCY }),
    ...(mask && typeof tokenizer === 'string' && { mask }),
    ...(sentinels && typeof tokenizer === 'string' && { sentinels }),
  };
}
