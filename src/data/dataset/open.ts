import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import type { CorpusStatistics } from '../corpus/types.js';
import { TokenShards } from '../shards/token-shards.js';
import { parseTokenizer } from '../tokenizers/parse.js';
import type { Tokenizer, TokenizerFiles } from '../tokenizers/tokenizer.js';
import { type DatasetManifest, MANIFEST, readManifest } from './manifest.js';

/** A corpus as tokens, ready to be drawn from. */
export interface Dataset {
  tokenizer: Tokenizer;
  train: TokenShards;
  validation: TokenShards;
  /** The sha256 over the text and the settings: equal fingerprints mean equal tokens. */
  fingerprint: string;
  statistics: CorpusStatistics;
}

/**
 * Opens what {@link prepareDataset} made, for example in a worker that is given the folder.
 *
 * @throws MeanfieldError when the folder holds no whole data set
 */
export async function openDataset(folder: string): Promise<Dataset> {
  const read = await readManifest(folder);
  if (read.manifest !== undefined) return datasetOf(folder, read.manifest);
  throw new MeanfieldError(
    `${folder} holds no prepared data: ${join(folder, MANIFEST)} cannot be used (${read.reason}). Prepare it from the text again.`,
  );
}

/**
 * The training part of what {@link prepareDataset} made: a machine that only trains has no other.
 *
 * @throws MeanfieldError when the folder holds no tokens
 */
export async function trainingTokens(folder: string): Promise<TokenShards> {
  const read = await readManifest(folder);
  if (read.manifest === undefined) throw new MeanfieldError(`${folder} holds no tokens: ${read.reason}.`);
  return new TokenShards(folder, read.manifest.train);
}

/** The data set that a manifest describes; looks at the files' lengths but not into the tokens. */
export async function datasetOf(folder: string, manifest: DatasetManifest): Promise<Dataset> {
  const files: TokenizerFiles = { 'tokenizer.json': '', 'tokenizer_config.json': '' };
  for (const name of ['tokenizer.json', 'tokenizer_config.json'] as const) {
    const path = join(folder, name);
    try {
      files[name] = await readFile(path, 'utf8');
    } catch (error) {
      throw new MeanfieldError(`Cannot read the tokenizer: ${messageOf(error)}.`, { cause: error });
    }
    if (sha256(files[name]) !== manifest.tokenizerFiles[name]) {
      throw new MeanfieldError(`${path} is not the file that ${MANIFEST} beside it names: prepare the data again.`);
    }
  }
  return {
    tokenizer: await parseTokenizer(files, folder),
    train: new TokenShards(folder, manifest.train),
    validation: new TokenShards(folder, manifest.validation),
    fingerprint: manifest.fingerprint,
    statistics: manifest.statistics,
  };
}
