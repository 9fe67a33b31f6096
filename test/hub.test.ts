import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadModel } from '../src/hub/load-model.js';
import { placeOf } from '../src/hub/open-model.js';
import { type PullOptions, pullModel } from '../src/hub/remote/pull-model.js';
import { pushFolder } from '../src/hub/remote/push-folder.js';
import { hubSettings } from '../src/hub/remote/settings.js';
import { startTraining } from '../src/local/train.js';
import { jsonLines, meanfield, start } from './command.js';
import { HubServer } from './hub-server.js';
import { logitsOf } from './logits.js';

const python = process.env.MEANFIELD_PYTHON;
const sentence = new URL('./fixtures/sentence/tiny', import.meta.url).pathname;

let server: HubServer;
let folder: string;
let cache: string;
/** The model that the hub has, and the same in two files. */
let files: Record<string, Buffer>;

beforeAll(async () => {
  server = await HubServer.start();
  folder = await mkdtemp(join(tmpdir(), 'meanfield-hub-'));
  await writeFile(join(folder, 'text.txt'), 'A king has twelve ducats, and a fool has none.\n'.repeat(300));
  const sizes = { layers: 2, width: 32, heads: 2, context: 32, batchSize: 2, threads: 1, steps: 5 };
  const run = join(folder, 'run');
  await startTraining({ ...sizes, corpus: [join(folder, 'text.txt')], run, model: 'llama', tokenizer: 'bytes' }).result;
  files = Object.fromEntries(
    await Promise.all(
      (await readdir(join(run, 'model')))
        .filter((name) => name !== 'meanfield.json')
        .map(async (name) => [name, await readFile(join(run, 'model', name))] as const),
    ),
  );
  const pickles = { 'pytorch_model.bin': 'pickle', 'training_args.bin': 'pickle', 'README.md': '# A model' };
  server.put('acme/tiny', { ...files, ...pickles, 'onnx/model.onnx': 'x', 'config.py': 'x' });
}, 120_000);
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  cache = await mkdtemp(join(folder, 'cache-'));
  for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
});
afterEach(() => {
  server.reset();
  vi.unstubAllEnvs();
});

const environment = () => ({
  ...{ HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache, HF_HUB_OFFLINE: '0' },
  ...{ HF_TOKEN: 'hf_secret', HF_HOME: join(folder, 'home') },
});
const pauses: number[] = [];
const pull = (model: string, options: PullOptions = {}) =>
  pullModel(model, {
    pause: async (seconds) => {
      pauses.push(seconds);
    },
    ...options,
  });
beforeEach(() => {
  pauses.length = 0;
});
const blobs = () => readdir(join(cache, 'models--acme--tiny', 'blobs'));
const weightsHash = () => createHash('sha256').update(files['model.safetensors']!).digest('hex');

describe('pull', () => {
  it('brings what a model needs into the cache, as huggingface_hub lays it out, and nothing else', async () => {
    const told: number[] = [];
    const pulled = await pull('acme/tiny', { progress: ({ bytes, ofBytes }) => told.push(bytes, ofBytes) });
    const commit = server.commit('acme/tiny');
    expect(pulled).toMatchObject({ model: 'acme/tiny', commit });
    expect(pulled.files).toEqual(Object.keys(files).sort());
    const root = join(cache, 'models--acme--tiny');
    expect(await readFile(join(root, 'refs/main'), 'utf8')).toBe(commit);
    const snapshot = join(root, 'snapshots', commit);
    expect(pulled.path).toBe(snapshot);
    expect((await readdir(snapshot)).sort()).toEqual(Object.keys(files).sort());
    expect(await readlink(join(snapshot, 'model.safetensors'))).toBe(`../../blobs/${weightsHash()}`);
    const config = files['config.json']!;
    const oid = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex');
    expect(await readlink(join(snapshot, 'config.json'))).toBe(`../../blobs/${oid}`);
    const all = Object.values(files).reduce((sum, { length }) => sum + length, 0);
    expect(told.slice(-2)).toEqual([all, all]);
    expect(pulled.bytes).toBe(all);
    // The token is for the hub alone.
    expect(server.asked.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true);
    expect(server.storeAsked.map(({ authorization }) => authorization)).toEqual([undefined]);
    // Once more: nothing is fetched that is there.
    server.reset();
    await pull('acme/tiny');
    expect(server.asked.filter(({ url }) => url.includes('/resolve/'))).toEqual([]);
  });

  it('is done by whoever names the model, at a revision as well', async () => {
    const { parameters } = await loadModel('acme/tiny@v1');
    expect(parameters).toEqual((await loadModel(join(folder, 'run'))).parameters);
    expect(await readFile(join(cache, 'models--acme--tiny/refs/v1'), 'utf8')).toBe(server.commit('acme/tiny'));
    server.reset();
    await loadModel(`acme/tiny@${server.commit('acme/tiny')}`);
    await loadModel('acme/tiny@v1');
    expect(server.asked).toEqual([]);
  });

  it('is not done offline, nor where the name may be a path', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(loadModel('acme/tiny')).rejects.toThrow('meanfield pull acme/tiny brings it there');
    await expect(pull('acme/tiny')).rejects.toThrow('HF_HUB_OFFLINE is set');
    vi.stubEnv('HF_HUB_OFFLINE', '');
    expect(await placeOf('test/none')).toBe('test/none');
    expect(server.asked).toEqual([]);
  });

  it('takes the shards that an index names, and the parts of a sentence-transformers folder', async () => {
    const index = { weight_map: { a: 'part-b.safetensors', b: 'part-a.safetensors', c: 'part-b.safetensors' } };
    const { 'model.safetensors': weights, ...texts } = files;
    server.put('acme/cut', {
      ...{ ...texts, 'model.safetensors.index.json': JSON.stringify(index) },
      ...{ 'part-a.safetensors': 'a', 'part-b.safetensors': weights!, 'part-c.safetensors': 'c' },
    });
    expect((await pull('acme/cut')).files).toEqual(
      [...Object.keys(texts), 'model.safetensors.index.json', 'part-a.safetensors', 'part-b.safetensors'].sort(),
    );
    const names = (await readdir(sentence, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());
    const parts = names.map((one) => join(one.parentPath, one.name));
    const content = await Promise.all(
      parts.map(async (path) => [path.slice(sentence.length + 1), await readFile(path)]),
    );
    server.put('acme/sentence', { ...Object.fromEntries(content), '9_Other/config.json': '{}' });
    const { files: found } = await pull('acme/sentence');
    expect(found).toEqual(
      expect.arrayContaining(['1_Pooling/config.json', '2_Dense/model.safetensors', 'modules.json']),
    );
    expect(found).not.toContain('9_Other/config.json');
    const { sentence: modules } = await loadModel('acme/sentence');
    expect(modules!.poolings).toEqual(['mean', 'max']);
  });

  it('fetches the base of an adapter', async () => {
    const lora = join(folder, 'lora');
    await startTraining({
      ...{ from: join(folder, 'run'), adapter: 'lora', rank: 2, steps: 2, batchSize: 2, threads: 1 },
      ...{ corpus: [join(folder, 'text.txt')], run: lora },
    }).result;
    const settings = JSON.parse(await readFile(join(lora, 'model/adapter_config.json'), 'utf8'));
    server.put('acme/adapter', {
      'adapter_config.json': JSON.stringify({ ...settings, base_model_name_or_path: 'acme/tiny' }),
      'adapter_model.safetensors': await readFile(join(lora, 'model/adapter_model.safetensors')),
    });
    const { code, stderr } = await meanfield('eval', 'acme/adapter', join(folder, 'text.txt'));
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/fetching acme\/adapter[\s\S]*fetching acme\/tiny/);
    expect(await readdir(cache)).toEqual(expect.arrayContaining(['models--acme--tiny', 'models--acme--adapter']));
  });

  it.skipIf(!python)('Python finds what was fetched, and we what Python fetched (MEANFIELD_PYTHON)', async () => {
    const loaded = await loadModel('acme/tiny');
    const ids = [...loaded.tokenizer.encode('A king')];
    const expected = join(folder, 'expected.json');
    await writeFile(expected, JSON.stringify({ input_ids: [ids], logits: await logitsOf(loaded, ids) }));
    const env = { ...process.env, ...environment(), HF_HUB_OFFLINE: '1' };
    const { stdout } = await promisify(execFile)(python!, ['test/hf_check.py', 'logits', 'acme/tiny', expected], {
      env,
    });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
    const fetched = join(folder, 'python-cache');
    const code = `from huggingface_hub import hf_hub_download
for name in ${JSON.stringify(Object.keys(files))}: hf_hub_download('acme/tiny', name)`;
    await promisify(execFile)(python!, ['-c', code], {
      env: { ...process.env, ...environment(), HF_HUB_CACHE: fetched, HF_HUB_DISABLE_XET: '1' },
    });
    vi.stubEnv('HF_HUB_CACHE', fetched);
    server.reset();
    expect((await loadModel('acme/tiny')).parameters).toEqual(loaded.parameters);
    expect(server.asked).toEqual([]);
    // The same layout, to the names of the contents.
    const tree = async (root: string) =>
      (await readdir(join(root, 'models--acme--tiny'), { recursive: true }))
        .filter((name) => /^(?:blobs|refs|snapshots)/.test(name))
        .sort();
    expect(await tree(cache)).toEqual(await tree(fetched));
  });
});

describe('a download that is cut off', () => {
  /** Lets so many bytes of the weights through, then ends the connection. */
  const cutAfter = (bytes: number, times = 1) => {
    server.hostileStore = (request, response) => {
      if (times-- <= 0) return false;
      const whole = files['model.safetensors']!;
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      if (from > 0) response.setHeader('content-range', `bytes ${from}-${whole.length - 1}/${whole.length}`);
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': whole.length - from });
      response.write(whole.subarray(from, from + bytes), () => response.destroy());
      return true;
    };
  };
  const ranges = () => server.storeAsked.map(({ range }) => range);

  it('goes on where it was', async () => {
    cutAfter(1000, 2);
    await pull('acme/tiny');
    expect(ranges()).toEqual([undefined, 'bytes=1000-', 'bytes=2000-']);
  });

  it('goes on in a later process, unless what was left is damaged: then it begins anew', async () => {
    for (const damage of [false, true]) {
      await rm(cache, { recursive: true });
      server.reset();
      cutAfter(1000, 1);
      const stop = new AbortController();
      const stopped = pull('acme/tiny', { signal: stop.signal, pause: async () => stop.abort() });
      await expect(stopped).rejects.toThrow(/abort/i);
      const [left] = (await blobs()).filter((name) => name.endsWith('.incomplete'));
      const path = join(cache, 'models--acme--tiny/blobs', left!);
      expect((await stat(path)).size).toBe(1000);
      await expect(lstat(join(cache, 'models--acme--tiny/refs'))).rejects.toThrow('ENOENT');
      if (damage) await writeFile(path, Buffer.alloc(1000));
      server.reset();
      await pull('acme/tiny');
      expect(ranges()).toEqual(damage ? ['bytes=1000-', undefined] : ['bytes=1000-']);
      expect((await blobs()).filter((name) => name.includes('incomplete'))).toEqual([]);
      expect((await loadModel('acme/tiny')).parameters).toEqual((await loadModel(join(folder, 'run'))).parameters);
    }
  });

  it('begins anew where the server knows of no parts, and gives up where nothing comes', async () => {
    let times = 0;
    server.hostileStore = (_, response) => {
      const whole = files['model.safetensors']!;
      response.writeHead(200, { 'content-length': whole.length });
      if (times++ === 0) response.write(whole.subarray(0, 500), () => response.destroy());
      else response.end(whole);
      return true;
    };
    await pull('acme/tiny');
    expect(times).toBe(2);
    await rm(cache, { recursive: true });
    cutAfter(0, 100);
    await expect(pull('acme/tiny')).rejects.toThrow(/model\.safetensors of acme\/tiny was cut off after 0 of/);
  });

  it('interrupted by Ctrl-C, ends with 130 and goes on', async () => {
    server.hostileStore = (_, response) => {
      const whole = files['model.safetensors']!;
      response.writeHead(200, { 'content-length': whole.length });
      response.write(whole.subarray(0, 700));
      return true;
    };
    const running = start(['pull', 'acme/tiny', '--json']);
    await vi.waitFor(
      async () => expect((await blobs()).some((name) => name.includes('incomplete'))).toBe(true),
      20_000,
    );
    await vi.waitFor(async () => {
      const [left] = (await blobs()).filter((name) => name.includes('incomplete'));
      expect((await stat(join(cache, 'models--acme--tiny/blobs', left!))).size).toBe(700);
    }, 20_000);
    running.child.kill('SIGINT');
    expect((await running.done).code).toBe(130);
    server.reset();
    const again = await meanfield('pull', 'acme/tiny', '--json');
    expect(again.code, again.stderr).toBe(0);
    expect(ranges()).toEqual(['bytes=700-']);
    expect(jsonLines(again).at(-1)).toMatchObject({
      type: 'result',
      model: 'acme/tiny',
      files: Object.keys(files).sort(),
    });
  });
});

it('two processes that pull one model at once both have it', async () => {
  const outcomes = await Promise.all([meanfield('pull', 'acme/tiny'), meanfield('pull', 'acme/tiny')]);
  for (const { code, stderr } of outcomes) expect(code, stderr).toBe(0);
  await Promise.all([pull('acme/tiny'), pull('acme/tiny')]);
  expect((await blobs()).filter((name) => name.includes('incomplete'))).toEqual([]);
  expect((await loadModel('acme/tiny')).parameters.length).toBeGreaterThan(0);
});

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

describe('push', () => {
  it('puts a folder on the hub in one commit, large files by their hash, and it comes back', async () => {
    const out = join(folder, 'run/model');
    const { code, stdout, stderr } = await meanfield(
      'push',
      out,
      'acme/new',
      '--private',
      '--message',
      'First',
      '--json',
    );
    expect(code, stderr).toBe(0);
    expect(server.created).toEqual([
      expect.objectContaining({ name: 'new', organization: 'acme', visibility: 'private' }),
    ]);
    expect(server.commits).toHaveLength(1);
    const names = (await readdir(out)).sort();
    expect(server.commits[0]).toMatchObject({
      branch: 'main',
      lines: [{ key: 'header', value: { summary: 'First' } }, ...names.map(() => ({}))],
    });
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
      type: 'result',
      model: 'acme/new',
      files: names,
    });
    expect(server.storeAsked.map(({ method, authorization }) => [method, authorization])).toEqual([['PUT', undefined]]);
    await pull('acme/new');
    expect((await loadModel('acme/new')).parameters).toEqual((await loadModel(join(folder, 'run'))).parameters);
  });

  it('goes to a branch of a model that is there', async () => {
    await cp(sentence, join(folder, 'run-sentence'), { recursive: true });
    await writeFile(join(folder, 'run-sentence', '.secret'), 'x');
    const { files: sent } = await pushFolder(join(folder, 'run-sentence'), 'acme/tiny2', { branch: 'v2' });
    expect(sent).toContain('1_Pooling/config.json');
    expect(sent).not.toContain('.secret');
    await pushFolder(join(folder, 'run-sentence'), 'acme/tiny2', { branch: 'v2' });
    expect(server.branches).toEqual(['v2', 'v2']);
    expect(server.commits.map(({ branch }) => branch)).toEqual(['v2', 'v2']);
  });

  it('refuses runs, empty folders, names that are none, and asks for a token', async () => {
    const push = (from: string, model = 'acme/new') => pushFolder(join(folder, from), model);
    await expect(push('run')).rejects.toThrow(/is a run.*meanfield export/);
    await mkdir(join(folder, 'run-empty'));
    await expect(push('run-empty')).rejects.toThrow(/has no files/);
    await expect(push('run-none')).rejects.toThrow(/no such folder/);
    await expect(push('run/model', 'new')).rejects.toThrow(/expected org\/name/);
    vi.stubEnv('HF_TOKEN', '');
    await expect(push('run/model')).rejects.toThrow(/set HF_TOKEN to a token with the right to write/);
    expect(server.asked).toEqual([]);
  });

  it('tells what the hub refuses, and that nothing was committed', async () => {
    server.hostile = (_, response, path) => {
      if (!path.includes('/commit/')) return false;
      response.writeHead(403, { 'content-type': 'application/json' }).end('{"error":"No rights"}');
      return true;
    };
    await expect(pushFolder(join(folder, 'run/model'), 'acme/new')).rejects.toThrow(/status 403 \(No rights\)/);
    expect(server.commits).toEqual([]);
  });
});
