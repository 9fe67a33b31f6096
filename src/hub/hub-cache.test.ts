import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedModel, hubCache, isHubName } from './hub-cache.js';
import { openModel } from './open-model.js';

const fixture = new URL('../../test/fixtures/models/llama', import.meta.url).pathname;
const [MAIN, OLD] = ['a'.repeat(40), 'b'.repeat(40)];
let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'meanfield-hub-'));
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_HUB_OFFLINE', '1');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

/** A snapshot as Hugging Face's programs write it: links to blobs. */
async function save(repository: string, commit: string, refs: Record<string, string>) {
  const folder = join(cache, `models--${repository}`);
  const snapshot = join(folder, 'snapshots', commit);
  await mkdir(snapshot, { recursive: true });
  await cp(fixture, join(folder, 'blobs'), { recursive: true });
  for (const name of await readdir(join(folder, 'blobs'))) await symlink(`../../blobs/${name}`, join(snapshot, name));
  for (const [name, text] of Object.entries(refs)) {
    await mkdir(join(folder, 'refs', name, '..'), { recursive: true });
    await writeFile(join(folder, 'refs', name), text);
  }
}

describe('a model of the hub', () => {
  it('is found in the cache by its name, and by a revision', async () => {
    await save('acme--tiny', MAIN, { main: `${MAIN}\n`, 'refs/pr/1': MAIN });
    await mkdir(join(cache, `models--acme--tiny/snapshots/${OLD}`));
    expect(await cachedModel('acme/tiny')).toBe(join(cache, `models--acme--tiny/snapshots/${MAIN}`));
    expect(await cachedModel('acme/tiny@refs/pr/1')).toContain(MAIN);
    expect(await cachedModel(`acme/tiny@${OLD}`)).toContain(OLD);
    for (const none of ['acme/other', 'acme/tiny@v2', `acme/tiny@${'c'.repeat(40)}`, 'tiny'])
      expect(await cachedModel(none)).toBeUndefined();
    const opened = await openModel('acme/tiny');
    expect(opened.config.model_type).toBe('llama');
    expect(opened.weights.tensors.size).toBeGreaterThan(0);
    await opened.close();
  });

  it.each([`../../../elsewhere`, `${MAIN}/../../..`, '', 'x'.repeat(40), '\0'])(
    'is not looked for where a reference holds %j',
    async (text) => {
      await save('acme--tiny', MAIN, { main: text });
      expect(await cachedModel('acme/tiny')).toBeUndefined();
    },
  );

  it.each(['../x', 'a/..', './x', 'a/b/c', 'a/b@../x', 'a/b@x/../y', '/a/b', 'a//b', 'a/b@', 'a/b\n', 'a\\b/c'])(
    'is never named %j',
    async (name) => {
      expect(isHubName(name)).toBe(false);
      expect(await cachedModel(name)).toBeUndefined();
    },
  );

  it('that is not there, offline, is named with how to fetch it', async () => {
    await expect(openModel('acme/none')).rejects.toThrow(
      "Nor is it in the Hugging Face hub's cache: meanfield pull acme/none brings it there.",
    );
  });
});

it('the cache lies where Hugging Face has it', () => {
  expect(hubCache({ HF_HUB_CACHE: '/a', HF_HOME: '/b' })).toBe('/a');
  expect(hubCache({ HF_HOME: '/b' })).toBe('/b/hub');
  expect(hubCache({ XDG_CACHE_HOME: '/c' })).toBe('/c/huggingface/hub');
  expect(hubCache({})).toMatch(/\.cache\/huggingface\/hub$/);
});
