import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../../../package.json' with { type: 'json' };
import { layoutHash } from '../../averaging/layout-hash.js';
import { sha256 } from '../../base/hash.js';
import type { JsonValue } from '../../base/json.js';
import type { PreparedData } from '../../run/prepare-model.js';
import type { BlobRef, BlobStore } from '../../transport/transport.js';
import { putFrozen } from '../frozen-blobs.js';
import type { ParsedClusterOptions } from '../options.js';
import type { Configuration, RunSetup } from '../protocol/configuration.js';
import { encodeMessage } from '../protocol/wire.js';

/** Files of a data set: manifest, tokenizer, template, tokens. */
const DATA = /\.(json|jinja|bin|u32|f32)$/;

/** What the configuration is made of. */
export interface Publication {
  readonly run: string;
  readonly prepared: PreparedData;
  readonly setup: RunSetup;
  readonly cluster: ParsedClusterOptions;
  /** The content of `run.json`. */
  readonly record: JsonValue;
  readonly onProgress: (fraction: number) => void;
}

/**
 * Stores what workers need to take part: the configuration, the frozen parameters and, where the coordinator sends them,
 * the tokens.
 */
export async function publish(blobs: BlobStore, publication: Publication): Promise<BlobRef> {
  const { run, prepared, setup, cluster, record } = publication;
  const configuration: Configuration = {
    run,
    version: packageJson.version,
    setup,
    layoutHash: layoutHash(prepared.model.trained),
    ...(prepared.frozen && { frozen: await putFrozen(blobs, prepared.frozen) }),
    fingerprint: prepared.fingerprint,
    heartbeatSeconds: cluster.heartbeatTimeout / 4,
    data: { source: cluster.data, files: await publishFiles(blobs, publication) },
    record: record as Configuration['record'],
  };
  return blobs.put('run/configuration', encodeMessage(configuration));
}

async function publishFiles(
  blobs: BlobStore,
  { prepared, cluster, onProgress }: Publication,
): Promise<Configuration['data']['files']> {
  const folder = prepared.task.folder;
  const training = new Set(prepared.trainingFiles);
  const names = (await readdir(folder)).filter((name) => DATA.test(name)).sort();
  const files: Configuration['data']['files'] = [];
  for (const [i, name] of names.entries()) {
    const content = await readFile(join(folder, name));
    const file = { name, bytes: content.length, sha256: sha256(content), training: training.has(name) };
    const blob = cluster.data === 'send' ? await blobs.put(`run/data/${i}`, content) : undefined;
    files.push({ ...file, ...(blob && { blob }) });
    onProgress((i + 1) / names.length);
  }
  return files;
}
