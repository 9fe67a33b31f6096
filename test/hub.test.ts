import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { loadModel } from '../src/hub/load-model.js';
import { placeOf } from '../src/hub/open-model.js';
import { startTraining } from '../src/local/train.js';
import { jsonLines, meanfield, start } from './command.js';
import { blobs, cache, environment, files, folder, pull, sentence, server, useHub, weightsHash } from './hub-cache.js';
import { logitsOf } from './logits.js';

const python = process.env.MEANFIELD_PYTHON;
useHub();

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
