import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { readJsonFile } from '../../base/files/json-file.js';
import { makeFolder } from '../../base/files/make-folder.js';
import { Model } from '../../model/model.js';
import { runPaths, writeRunFile } from '../../run/run-folder.js';
import { parseRecord } from '../../run/run-record.js';
import { type RunKey, RunVerifier } from '../../transport/signed.js';
import type { Transport } from '../../transport/transport.js';
import { fetchData } from '../fetch-data.js';
import { fetchFrozen } from '../frozen-blobs.js';
import { configurationSchema } from '../protocol/configuration.js';
import { decodeMessage } from '../protocol/wire.js';
import { decodeState } from './run-state.js';
import { STATE } from './state-writer.js';

/**
 * Makes a run's folder on a machine that has none, from what the message system holds: `run.json`, the tokens and the
 * frozen parameters. A coordinator can then be started there with `resume`; it leads, or stands by.
 *
 * @param key of the run's coordinators; a coordinator needs it there too
 * @throws UsageError when the folder holds a run already
 * @throws MeanfieldError when the message system holds no run, or none that is signed by the key
 */
export async function restoreRun(
  transport: Transport,
  folder: string,
  key: RunKey,
  onProgress: (fraction: number) => void = () => {},
): Promise<void> {
  const paths = runPaths(folder);
  const taken = await readJsonFile(paths.run, '').then(
    () => true,
    () => false,
  );
  if (taken) throw new UsageError(`${folder} holds a run already. Resume it there, or choose another folder.`);
  const found = await transport.state.get(STATE);
  if (!found) throw new MeanfieldError('The message system holds no run: start one on the machine with the text.');
  const state = new RunVerifier(key.public).opened('state', found.value);
  const { configuration: ref } = decodeState(state, 'the message system');
  const configuration = decodeMessage(await transport.blobs.get(ref), configurationSchema, "the run's configuration");
  parseRecord(configuration.record, 'the configuration in the message system');
  await makeFolder(folder);
  const { blobs } = transport;
  const fetched = await fetchData(configuration, { blobs, cache: folder, all: true, onProgress });
  const tokens = join(folder, 'tokens');
  await rm(tokens, { recursive: true, force: true });
  if (fetched === join(folder, configuration.fingerprint)) await rename(fetched, tokens);
  else {
    await mkdir(tokens);
    for (const { name } of configuration.data.files) await copyFile(join(fetched, name), join(tokens, name));
  }
  const { setup } = configuration;
  const model = Model.fromConfig(setup.model).partly(setup);
  await fetchFrozen(configuration, model, () => paths.frozen, { blobs });
  // Last: with it the folder is a run.
  await writeRunFile(paths, configuration.record);
}
