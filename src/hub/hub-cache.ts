import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `org/name` of the Hugging Face hub, or `org/name@revision`: a branch, a tag or a commit. */
const NAME =
  /^(?<org>[\w-][\w.-]{0,95})\/(?<name>[\w-][\w.-]{0,95})(?:@(?<revision>[\w-][\w.-]*(?:\/[\w-][\w.-]*)*))?$/;
const COMMIT = /^[0-9a-f]{40}$/;

/** What a name of the hub says. */
export interface HubName {
  readonly org: string;
  readonly name: string;
  /** A branch, a tag or a commit; `main` where none is said. */
  readonly revision: string;
}

/** The parts of a name of the hub; undefined where it is none. */
export function parseHubName(model: string): HubName | undefined {
  const { org, name, revision = 'main' } = NAME.exec(model)?.groups ?? {};
  return org === undefined || name === undefined ? undefined : { org, name, revision };
}

/** Whether a text is a commit's name. */
export const isCommit = (text: unknown): text is string => typeof text === 'string' && COMMIT.test(text);

/** Where the cache keeps a model: `blobs/`, `refs/`, `snapshots/`. */
export const cacheFolder = ({ org, name }: HubName, cache: string): string => join(cache, `models--${org}--${name}`);

/** Whether a name may be that of a model of the Hugging Face hub. */
export function isHubName(model: string): boolean {
  return NAME.test(model);
}

/**
 * Where Hugging Face's programs keep what they download (https://huggingface.co/docs/huggingface_hub, Environment
 * variables): `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in the user's cache.
 */
export function hubCache(environment: NodeJS.ProcessEnv = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment;
  const caches = XDG_CACHE_HOME || join(homedir(), '.cache');
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(HF_HOME || join(caches, 'huggingface'), 'hub');
}

/**
 * The snapshot of a model in the cache: `models--org--name/snapshots/COMMIT`, where `refs/REVISION` names the commit.
 *
 * @param model `org/name`, of which the branch `main` is meant, or `org/name@revision`
 * @returns undefined where the cache does not have it, or the name is none of the hub's
 */
export async function cachedModel(model: string, cache = hubCache()): Promise<string | undefined> {
  const parts = parseHubName(model);
  if (parts === undefined) return undefined;
  const { revision } = parts;
  const folder = cacheFolder(parts, cache);
  const commit = isCommit(revision) ? revision : await readFile(join(folder, 'refs', revision), 'utf8').catch(() => '');
  // Anything else could lead out of the cache.
  if (!COMMIT.test(commit.trim())) return undefined;
  const snapshot = join(folder, 'snapshots', commit.trim());
  const found = await stat(snapshot).catch(() => undefined);
  return found?.isDirectory() ? snapshot : undefined;
}
