import { expect, it, vi } from 'vitest';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { BlobCache, type BlobCacheOptions } from './blob-cache.js';

const bytes = (...values: number[]) => Uint8Array.from(values);

function setup(options: Partial<BlobCacheOptions> = {}) {
  const { blobs } = new MemoryNetwork().connect().transport;
  const get = vi.spyOn(blobs, 'get');
  return { blobs, get, cache: new BlobCache(blobs, { members: 2, mostBytes: 1e6, ...options }) };
}

it('gives copies of what was put or got without asking again', async () => {
  const { blobs, get, cache } = setup();
  const own = await cache.put('a/1', bytes(1, 2));
  const foreign = await blobs.put('b/1', bytes(3));
  const first = await cache.get(own);
  first[0] = 9;
  expect([...(await cache.get(own))]).toEqual([1, 2]);
  expect(get).not.toHaveBeenCalled();
  const all = await Promise.all([cache.get(foreign), cache.get(foreign), cache.get(foreign, new Uint8Array(1))]);
  expect(all.map((one) => one[0])).toEqual([3, 3, 3]);
  expect(get).toHaveBeenCalledTimes(1);
});

it('lets another fetch when the first gave up, and fails when none can', async () => {
  const { blobs, get, cache } = setup();
  const ref = await blobs.put('b/1', bytes(3));
  get.mockRejectedValueOnce(new Error('gave up'));
  const [first, second] = await Promise.allSettled([cache.get(ref), cache.get(ref)]);
  expect(first.status).toBe('rejected');
  expect(second).toMatchObject({ status: 'fulfilled', value: bytes(3) });
  const missing = { ...ref, key: 'b/2', hash: '0'.repeat(64) };
  await expect(cache.get(missing)).rejects.toThrow('b/2 is not stored');
});

it('forgets the least recently used when it is full, and keeps nothing that is large', async () => {
  const { get, cache } = setup({ mostBytes: 8 });
  const [a, b] = [await cache.put('a/1', bytes(1, 1)), await cache.put('a/2', bytes(2, 2))];
  const large = await cache.put('a/3', bytes(3, 3, 3));
  await cache.get(a);
  for (const i of [4, 5, 6]) await cache.put(`a/${i}`, bytes(i, i));
  expect(get).toHaveBeenCalledTimes(0);
  await cache.get(b);
  expect(get).toHaveBeenCalledTimes(1);
  await cache.get(large);
  expect(get).toHaveBeenCalledTimes(2);
});

it('gives one replica alone what it has put without a copy, and keeps nothing else', async () => {
  const { blobs, get, cache } = setup({ members: 1 });
  const [content, other] = [bytes(1, 2), bytes(5)];
  const own = await cache.put('a/1', content);
  expect(await cache.get(own)).toBe(content);
  expect(get).not.toHaveBeenCalled();
  content[0] = 9;
  expect([...(await cache.get(own))]).toEqual([1, 2]);
  const into = new Uint8Array(1);
  expect(await cache.get(await cache.put('a/2', other), into)).toBe(into);
  expect([...into]).toEqual([5]);
  const foreign = await blobs.put('b/1', bytes(3));
  for (let i = 0; i < 2; i++) expect([...(await cache.get(foreign))]).toEqual([3]);
  expect(get).toHaveBeenCalledTimes(3);
});

it('counts what it keeps', async () => {
  const { get, cache } = setup({ members: 1, mostBytes: 8 });
  for (let i = 0; i < 20; i++) await cache.get(await cache.put(`a/${i}`, bytes(i, i)));
  const refs = [];
  for (let i = 0; i < 5; i++) refs.push(await cache.put(`b/${i}`, bytes(i, i + 1)));
  for (const ref of refs.toReversed()) await cache.get(ref);
  expect(get).toHaveBeenCalledTimes(1);
});
