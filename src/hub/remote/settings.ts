import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { hubCache } from '../hub-cache.js';

/** How the Hugging Face hub is reached. */
export interface HubSettings {
  /** Its address, without a slash at the end. */
  readonly endpoint: string;
  /** Of whoever asks; undefined for nobody. */
  readonly token: string | undefined;
  readonly cache: string;
}

const HUB = 'https://huggingface.co';
const ON = /^(?:1|true|yes|on)$/i;

/** Whether nothing may be fetched: `HF_HUB_OFFLINE`, as huggingface_hub has it. */
export function isOffline(environment: NodeJS.ProcessEnv = process.env): boolean {
  return ON.test(environment.HF_HUB_OFFLINE ?? environment.TRANSFORMERS_OFFLINE ?? '');
}

/**
 * Reads how the hub is reached, from the variables of huggingface_hub: `HF_ENDPOINT`, and for the token `HF_TOKEN`, else
 * the file `HF_TOKEN_PATH`, else `token` in `HF_HOME`.
 *
 * @throws UsageError for an address that is none
 */
export async function hubSettings(environment: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const endpoint = (environment.HF_ENDPOINT || HUB).replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : ''))
    throw new UsageError(`HF_ENDPOINT is ${JSON.stringify(endpoint)}: expected an address such as ${HUB}.`);
  return { endpoint, token: await tokenOf(environment), cache: hubCache(environment) };
}

async function tokenOf(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  const given = HF_TOKEN || HUGGING_FACE_HUB_TOKEN;
  const text = given || (await readFile(HF_TOKEN_PATH || join(home, 'token'), 'utf8').catch(() => ''));
  const token = text.trim();
  if (/[^\x21-\x7e]/.test(token))
    throw new UsageError(
      `The token of the hub, in ${given ? 'HF_TOKEN' : 'its file'}, holds what no token has. Copy it again from ${HUB}/settings/tokens.`,
    );
  return token === '' ? undefined : token;
}
