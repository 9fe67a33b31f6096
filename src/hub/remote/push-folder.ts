import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commitIter, createBranch, createRepo } from '@huggingface/hub';
import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { pathFault } from '../../base/files/path-fault.js';
import type { OptionsOf } from '../../base/option-table.js';
import { parseHubName } from '../hub-cache.js';
import { type ClientOptions, HubClient } from './client.js';
import type { PUSH_OPTIONS } from './option-table.js';
import { hubSettings, isOffline } from './settings.js';

/** How a folder is put on the hub, and what may go on beside. */
export interface PushOptions extends ClientOptions, Readonly<OptionsOf<typeof PUSH_OPTIONS>> {
  /** Called as it goes on: with the file, and which part of it is hashed or has gone. */
  readonly progress?: ((progress: PushProgress) => void) | undefined;
  /** In place of the process's own. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
}

/** How far a push is. */
export interface PushProgress {
  readonly stage: 'hashing' | 'sending' | 'committing';
  readonly file?: string;
  /** From 0 to 1. */
  readonly fraction?: number;
}

/** What is on the hub now. */
export interface PushedFolder {
  readonly model: string;
  readonly branch: string;
  readonly commit: string;
  /** Of its page. */
  readonly url: string;
  readonly files: readonly string[];
  readonly bytes: number;
}

/**
 * Puts the files of a folder into a model's repository of the Hugging Face hub, which is made where there is none, in one
 * commit: all or nothing. What the repository has beside them stays. Files whose names begin with a dot are left out.
 *
 * @param model `org/name`
 * @throws UsageError for a name that is none, or a folder that holds nothing to be sent
 * @throws MeanfieldError when the hub refuses or does not answer, or there is no token
 * @throws DOMException (AbortError) when stopped by the signal; then there is no commit
 */
export async function pushFolder(folder: string, model: string, options: PushOptions = {}): Promise<PushedFolder> {
  const name = parseHubName(model);
  if (name === undefined || model.includes('@'))
    throw new UsageError(`${JSON.stringify(model)} is no name of a model of the hub: expected org/name.`);
  const files = await filesIn(folder);
  if (isOffline(options.environment))
    throw new MeanfieldError(`Cannot put ${model} on the hub: HF_HUB_OFFLINE is set.`);
  const settings = await hubSettings(options.environment);
  const { endpoint: hubUrl, token: accessToken } = settings;
  if (accessToken === undefined || !accessToken.startsWith('hf_'))
    throw new MeanfieldError(
      `To put ${model} on the hub, set HF_TOKEN to a token with the right to write, which begins with hf_: ${hubUrl}/settings/tokens.`,
    );
  const client = new HubClient(settings, model, options);
  const { branch = 'main', signal } = options;
  const target = { repo: { type: 'model', name: model }, hubUrl, accessToken } as const;
  await unlessThere(client, (fetch) => createRepo({ ...target, fetch, ...(options.private && { private: true }) }));
  if (branch !== 'main') await unlessThere(client, (fetch) => createBranch({ ...target, branch, fetch }));
  const operations = files.map(({ path }) => ({
    operation: 'addOrUpdate' as const,
    path: relative(folder, path).split(sep).join('/'),
    content: pathToFileURL(path),
  }));
  const title = options.message ?? `${operations.length} ${operations.length === 1 ? 'file' : 'files'}, by Meanfield`;
  const work = commitIter({
    ...{ ...target, operations, title, branch, fetch: client.fetch },
    ...(signal && { abortSignal: signal }),
  });
  try {
    for (;;) {
      const { done, value } = await work.next();
      if (!done) {
        if (value.event === 'fileProgress')
          options.progress?.({
            ...{ file: value.path, fraction: value.progress },
            stage: value.state === 'hashing' ? 'hashing' : 'sending',
          });
        else if (value.phase === 'committing') options.progress?.({ stage: 'committing' });
        continue;
      }
      return {
        ...{ model, branch, commit: String(value?.commit.oid), url: `${hubUrl}/${model}` },
        files: operations.map(({ path }) => path),
        bytes: files.reduce((sum, { size }) => sum + size, 0),
      };
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof MeanfieldError) throw error;
    throw new MeanfieldError(`Cannot put ${model} on the hub: ${messageOf(error)}. Nothing was committed; try again.`, {
      cause: error,
    });
  }
}

/** Makes something on the hub; it is well where it is there already. */
async function unlessThere(
  client: HubClient,
  make: (fetch: typeof globalThis.fetch) => Promise<unknown>,
): Promise<void> {
  let there = false;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await client.request(String(input), init, [409]);
    there = response.status === 409;
    return response;
  };
  try {
    await make(fetch);
  } catch (error) {
    if (!there) throw error;
  }
}

async function filesIn(folder: string): Promise<{ readonly path: string; readonly size: number }[]> {
  const fault = await pathFault(folder, 'folder');
  if (fault !== undefined) throw new MeanfieldError(`Cannot put ${folder} on the hub: ${fault}.`);
  const names = await readdir(folder, { recursive: true });
  if (names.includes('run.json'))
    throw new UsageError(
      `${folder} is a run, with its text and checkpoints: it is not put on the hub. Write its model first: meanfield export ${folder} --to hf.`,
    );
  const files: { path: string; size: number }[] = [];
  for (const name of names.sort()) {
    if (name.split(sep).some((part) => part.startsWith('.'))) continue;
    const found = await stat(join(folder, name));
    if (found.isFile()) files.push({ path: join(folder, name), size: found.size });
  }
  if (files.length === 0) throw new UsageError(`${folder} has no files to be put on the hub.`);
  return files;
}
