import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { loadModel } from '../src/hub/load-model.js';
import { hubSettings } from '../src/hub/remote/settings.js';
import { blobs, cache, files, folder, pauses, pull, server, useHub, weightsHash } from './hub-cache.js';

useHub();

describe('a hostile hub', () => {
  /** Answers requests for a route with JSON of its own. */
  const answering = (route: RegExp, value: unknown, status = 200, headers: Record<string, string> = {}) => {
    server.hostile = (_, response, path) => {
      if (!route.test(path)) return false;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof value === 'string' ? value : JSON.stringify(value));
      return true;
    };
  };
  const list = (change: object, path = 'model.safetensors') => [
    {
      type: 'file',
      path,
      size: 4,
      oid: 'b'.repeat(40),
      lfs: { oid: 'c'.repeat(64), size: 4, pointerSize: 1 },
      ...change,
    },
  ];
  const outside = async () =>
    (await readdir(folder)).filter((name) => !/^(?:cache-|run|lora|text|expected|python|home)/.test(name));

  it('that sends other bytes is not believed, and nothing of them stays', async () => {
    server.hostileStore = (_, response) => {
      const whole = Buffer.from(files['model.safetensors']!);
      whole[whole.length - 1]! ^= 1;
      response.end(whole);
      return true;
    };
    await expect(pull('acme/tiny')).rejects.toThrow(/model\.safetensors of acme\/tiny is damaged: .*another sha256/);
    expect(await blobs()).not.toContain(weightsHash());
    expect((await blobs()).filter((name) => name.includes('incomplete'))).toEqual([]);
    await rm(cache, { recursive: true });
    server.reset();
    server.hostile = (_, response, path) => {
      if (!path.endsWith('/config.json')) return false;
      response.end(Buffer.alloc(files['config.json']!.length, 32));
      return true;
    };
    await expect(pull('acme/tiny')).rejects.toThrow(/config\.json of acme\/tiny is damaged: .*another git-sha1/);
  });

  it('that sends more than it said is stopped', async () => {
    server.hostileStore = (_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
      return true;
    };
    await expect(pull('acme/tiny')).rejects.toThrow(/is larger than the \d+ bytes/);
  });

  it.each<[what: string, list: unknown, message: RegExp]>([
    ['names above the folder', list({}, '../../../evil.safetensors'), /has no model\.safetensors, but \.\.\/\.\./],
    [
      'a hash that is a path',
      list({ lfs: { oid: '../../../evil', size: 4 } }),
      /"\.\.\/\.\.\/\.\.\/evil" for the hash/,
    ],
    ['a hash that is none', list({ lfs: { oid: 7, size: 4 } }), /7 for the hash of model\.safetensors/],
    ['no size', list({ lfs: { oid: 'c'.repeat(64), size: -1 } }), /-1 for the size/],
    ['no list', { not: 'a list' }, /answers with what cannot be read/],
    ['holes', [null], /answers with what cannot be read/],
    ['no JSON', '<html>', /answers with what cannot be read/],
  ])('whose list has %s is refused, and writes nowhere else', async (_, value, message) => {
    const before = await outside();
    answering(/\/tree\//, value);
    await expect(pull('acme/tiny')).rejects.toThrow(message);
    expect(await outside()).toEqual(before);
    expect((await readdir(cache)).filter((name) => name !== 'models--acme--tiny')).toEqual([]);
  });

  it('whose index names files elsewhere, or parts that lie elsewhere, is refused', async () => {
    const index = { weight_map: { a: '../../../../evil.safetensors' } };
    server.put('acme/bad-index', { 'config.json': '{}', 'model.safetensors.index.json': JSON.stringify(index) });
    await expect(pull('acme/bad-index')).rejects.toThrow(/expected a \.safetensors file of its own folder/);
    const modules = [
      { type: 'x.Transformer', path: '../up' },
      { type: 'x.Pooling', path: '/etc' },
    ];
    server.put('acme/bad-modules', {
      'config.json': '{}',
      'modules.json': JSON.stringify(modules),
      '../up/model.safetensors': 'x',
    });
    await expect(pull('acme/bad-modules')).rejects.toThrow(/has no model\.safetensors/);
  });

  it('whose commit is none, or whose list does not end, is refused', async () => {
    answering(/\/revision\//, { _id: '1', id: 'x', sha: '../../..', lastModified: '2026-01-01' });
    await expect(pull('acme/tiny')).rejects.toThrow(/for the commit of main/);
    answering(/\/tree\//, [], 200, { link: `<${server.endpoint}/api/models/acme/tiny/tree/x>; rel="next"` });
    await expect(pull('acme/tiny')).rejects.toThrow(/a list of files that does not end/);
  });

  it('that sends on and on elsewhere is left', async () => {
    server.hostile = (_, response, path) => {
      if (!path.includes('/resolve/')) return false;
      response.writeHead(302, { location: `${server.endpoint}/acme/tiny/resolve/x/${Math.random()}` }).end();
      return true;
    };
    await expect(pull('acme/tiny')).rejects.toThrow(/cannot be used \(redirect count exceeded\)/);
    expect(pauses).toEqual([]);
  });

  it.each<[status: number, headers: Record<string, string>, token: string, message: RegExp]>([
    [
      401,
      {},
      '',
      /status 401 .*There is no such model, or it is private: then set a token of that account in HF_TOKEN/,
    ],
    [401, {}, 'hf_old', /There is no such model, or the token is not valid any more/],
    [401, { 'x-error-code': 'GatedRepo' }, '', /It is gated: accept its terms on http.*\/acme\/tiny, and set a token/],
    [
      403,
      { 'x-error-code': 'GatedRepo' },
      'hf_x',
      /It is gated: accept its terms on .*, and set its token in HF_TOKEN/,
    ],
    [403, {}, 'hf_x', /The account may not do that/],
    [404, { 'x-error-code': 'RevisionNotFound' }, 'hf_x', /It has no such revision/],
    [404, {}, 'hf_x', /There is no such model or file/],
  ])('that refuses with %i %j is told with what to do', async (status, headers, token, message) => {
    vi.stubEnv('HF_TOKEN', token);
    answering(/./, { error: 'No\u001b[31m.' }, status, headers);
    const error: Error = await pull('acme/tiny').then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(error.message).toMatch(message);
    expect(error.message).toContain('No\\x1b[31m.');
    expect(pauses).toEqual([]);
  });

  it('that is busy is asked again, as it asks for it, and given up in the end', async () => {
    let times = 0;
    server.hostile = (_, response, path) => {
      if (!path.includes('/revision/') || ++times > 3) return false;
      response.writeHead([429, 500, 503][times - 1]!, times === 1 ? { 'retry-after': '7' } : {}).end();
      return true;
    };
    await pull('acme/tiny');
    expect(pauses).toEqual([7, 2, 4]);
    answering(/./, {}, 503, { 'retry-after': '100000' });
    await expect(pull('acme/tiny')).rejects.toThrow(/status 503.*Try again later/);
    expect(pauses.slice(3)).toEqual([60, 60, 60, 60]);
  });

  it('that is nowhere, or does not know the name, is told of beside what is not here', async () => {
    await expect(loadModel('acme/unknown')).rejects.toThrow(
      /There is no acme\/unknown here, nor in the hub's cache\. The hub refuses acme\/unknown with status 401/,
    );
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    await expect(pull('acme/tiny')).rejects.toThrow(/127\.0\.0\.1:9 cannot be used/);
    vi.stubEnv('HF_ENDPOINT', 'http://nowhere.invalid');
    pauses.length = 0;
    await expect(pull('acme/tiny')).rejects.toThrow(/nowhere\.invalid cannot be used/);
    expect(pauses.length).toBeLessThan(2);
  });

  it('whose model is larger than the disk is told of before it is fetched', async () => {
    answering(/\/tree\//, list({ lfs: { oid: 'c'.repeat(64), size: 5e15 } }));
    await expect(pull('acme/tiny')).rejects.toThrow(/acme\/tiny needs 5000000\.0 GB more, and .* has .* GB free/);
    expect(server.storeAsked).toEqual([]);
    server.reset();
    await expect(pull('acme/tiny', { free: async () => 1000 })).rejects.toThrow(/has 0\.000 GB free/);
  });
});

it('is reached as the environment says', async () => {
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'token'), 'hf_file\n');
  expect(await hubSettings({ HF_HOME: home })).toMatchObject({ endpoint: 'https://huggingface.co', token: 'hf_file' });
  expect(await hubSettings({ HF_HOME: home, HF_TOKEN: 'hf_x', HF_ENDPOINT: 'http://a/' })).toMatchObject({
    endpoint: 'http://a',
    token: 'hf_x',
  });
  await rm(join(home, 'token'));
  expect((await hubSettings({ HF_HOME: home })).token).toBeUndefined();
  await expect(hubSettings({ HF_ENDPOINT: 'file:///etc' })).rejects.toThrow(/HF_ENDPOINT is "file/);
  await expect(hubSettings({ HF_TOKEN: 'hf_\nx: y' })).rejects.toThrow(/holds what no token has/);
});
