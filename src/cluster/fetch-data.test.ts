import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { sha256 } from '../base/hash.js';
import { MemoryNetwork } from '../transport/memory-transport.test-support.js';
import { fetchData } from './fetch-data.js';
import type { Configuration } from './protocol/configuration.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-data-'));
afterAll(() => rm(folder, { recursive: true }));
const { blobs } = new MemoryNetwork().connect().transport;
const content = Uint8Array.from([1, 2, 3, 4]);
const blob = await blobs.put('run/data/0', content);
const file = { name: 'train-0.bin', bytes: 4, sha256: sha256(content), training: true };
const fingerprint = 'f'.repeat(64);

function configuration(source: Configuration['data']['source'], changes = {}): Configuration {
  const other = { name: 'validation-0.bin', bytes: 1, sha256: sha256(''), training: false };
  return { fingerprint, data: { source, files: [{ ...file, blob, ...changes }, other] } } as unknown as Configuration;
}

it('fetches what training needs, once, and again what was damaged since', async () => {
  const get = vi.spyOn(blobs, 'get');
  const cache = join(folder, 'cache');
  const fractions: number[] = [];
  const options = { blobs, cache, onProgress: (fraction: number) => fractions.push(fraction) };
  const there = await fetchData(configuration('send'), options);
  expect([...(await readFile(join(there, 'train-0.bin')))]).toEqual([1, 2, 3, 4]);
  await fetchData(configuration('send'), options);
  expect(get).toHaveBeenCalledTimes(1);
  await writeFile(join(there, 'train-0.bin'), 'evil');
  await fetchData(configuration('send'), options);
  expect(get).toHaveBeenCalledTimes(2);
  expect(fractions).toEqual([1, 1, 1]);
  await expect(fetchData(configuration('send'), { ...options, all: true })).rejects.toThrow('does not say where');
});

it('reads a shared folder where it is, and refuses another file there', async () => {
  const shared = await mkdtemp(join(folder, 'shared-'));
  const options = { blobs, cache: folder };
  await expect(fetchData(configuration({ path: shared }), options)).rejects.toThrow('Mount it at the same path');
  await writeFile(join(shared, 'train-0.bin'), content);
  expect(await fetchData(configuration({ path: shared }), options)).toBe(shared);
  await writeFile(join(shared, 'train-0.bin'), 'more');
  await expect(fetchData(configuration({ path: shared }), options)).rejects.toThrow('sha256 differs');
});

it('downloads from a web server and says what went wrong', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/tokens/train-0.bin') response.end(content);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tokens`;
  const options = { blobs, cache: join(folder, 'web') };
  const there = await fetchData(configuration({ http }), options);
  expect([...(await readFile(join(there, 'train-0.bin')))]).toEqual([1, 2, 3, 4]);
  const missing = configuration({ http }, { name: 'train-1.bin' });
  await expect(fetchData(missing, options)).rejects.toThrow(/Cannot fetch .*train-1\.bin: the server answers 404/);
  const other = configuration({ http }, { sha256: '0'.repeat(64) });
  await expect(fetchData(other, options)).rejects.toThrow('sha256 differs');
  server.close();
});

it('fetches from where it was told alone, and never more than it was told', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    if (request.url === '/away/train-0.bin') response.writeHead(302, { location: '/tokens/train-0.bin' }).end();
    else if (request.url === '/tokens/train-0.bin') response.end(content);
    else {
      // Without an end, as a hostile server may.
      const timer = setInterval(() => response.write(new Uint8Array(100_000)), 1);
      response.on('close', () => clearInterval(timer));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const port = (server.address() as AddressInfo).port;
  const at = (path: string) => configuration({ http: `http://127.0.0.1:${port}/${path}` });
  const cache = join(folder, 'hostile');
  const options = { blobs, cache, allowed: { dataHosts: ['127.0.0.1'] } };
  await expect(fetchData(at('away'), options)).rejects.toThrow('sends us elsewhere');
  expect(asked).toEqual(['/away/train-0.bin']);
  await expect(fetchData(at('endless'), options)).rejects.toThrow('more than the 4 bytes');
  expect(await readdir(join(cache, fingerprint))).toEqual([]);
  const other = { ...options, allowed: { dataHosts: ['nats.example'] } };
  await expect(fetchData(at('tokens'), other)).rejects.toThrow("`dataHost: '127.0.0.1'`");
  expect(asked).toHaveLength(2);
  expect(await readdir(await fetchData(at('tokens'), options))).toEqual(['train-0.bin']);
  server.closeAllConnections();
  server.close();
});

it('reads no folder without consent, and takes no more than is allowed', async () => {
  const shared = await mkdtemp(join(folder, 'consent-'));
  await writeFile(join(shared, 'train-0.bin'), content);
  const options = (allowed: object) => ({ blobs, cache: join(folder, 'c'), allowed });
  const wanted = configuration({ path: shared });
  for (const dataFolders of [[], [join(shared, 'below')], [`${shared}-other`], [`${shared.slice(0, -1)}`]])
    await expect(fetchData(wanted, options({ dataFolders }))).rejects.toThrow('Allow it by `dataFolder`');
  const climbing = configuration({ path: `${shared}/../..` });
  await expect(fetchData(climbing, options({ dataFolders: [shared] }))).rejects.toThrow('`dataFolder`');
  expect(await fetchData(wanted, options({ dataFolders: ['/nowhere', folder] }))).toBe(shared);
  await expect(fetchData(configuration('send'), options({ maxDataBytes: 3 }))).rejects.toThrow('`maxData`');
  await expect(fetchData(configuration('send', { bytes: 21e9 }), options({}))).rejects.toThrow(/21\.00 GB.*20\.00 GB/);
  const longer = configuration('send', { bytes: 3 });
  await expect(fetchData(longer, options({}))).rejects.toThrow('is not the file');
});
