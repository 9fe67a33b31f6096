import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QuotaError } from '../errors.js';
import { natsThere, startTestServer, type TestServer } from './server.test-support.js';
import { type NatsTransport, openNatsTransport } from './transport.js';

const MEGABYTE = 1_000_000;

describe.skipIf(!natsThere)('quotas on a NATS server (skipped without nats-server)', () => {
  let server: TestServer;
  let transport: NatsTransport;
  const open = (run: string, maxBytes?: number) =>
    openNatsTransport({
      ...{ servers: [server.url], credential: { kind: 'none' }, run, name: 'c', inbox: '_MF.c', patience: 2000 },
      create: { replicas: 1, ...(maxBytes && { maxBytes }) },
    });

  beforeAll(async () => {
    server = await startTestServer('jetstream { store_dir: "FOLDER/js", max_file_store: 40MB }\nmax_payload: 8MB');
    transport = await open('r');
  });
  afterAll(async () => {
    await transport?.close();
    await server?.remove();
  });

  /** Stores blobs of a megabyte until one is refused. @returns how many were stored, and the refusal */
  async function fill(owner: string, round: number): Promise<{ stored: number; error: unknown }> {
    for (let stored = 0; ; stored++) {
      try {
        await transport.blobs.put(`${owner}/c/${round}/${stored}`, new Uint8Array(MEGABYTE).fill(stored));
      } catch (error) {
        return { stored, error };
      }
    }
  }

  test('who writes until it is refused stores what it was granted, and harms nobody', async () => {
    await transport.quotas.grant('greedy', 5 * MEGABYTE);
    await transport.quotas.grant('modest', 5 * MEGABYTE);
    const began = performance.now();
    const { stored, error } = await fill('greedy', 1);
    expect(stored).toBe(4);
    expect(error).toBeInstanceOf(QuotaError);
    expect(String(error)).toMatch(/greedy may not store 1000000 bytes more: .* maximum bytes exceeded \(10077\)/);
    // At once, not after trying again.
    expect(performance.now() - began).toBeLessThan(1500);
    const ref = await transport.blobs.put('modest/c/1/0', new Uint8Array(MEGABYTE).fill(7));
    expect((await transport.blobs.get(ref))[9]).toBe(7);
    await transport.blobs.delete('greedy/c/1');
    expect(await transport.quotas.keys('greedy')).toEqual([]);
    expect((await fill('greedy', 2)).stored).toBe(4);
  });

  test('what was stored outlives the end of a quota, and nothing is added', async () => {
    await transport.quotas.grant('leaver', 5 * MEGABYTE);
    const ref = await transport.blobs.put('leaver/r/1/a/0', new Uint8Array(MEGABYTE).fill(3));
    await transport.blobs.put('leaver/c/1/0', new Uint8Array(10));
    await transport.quotas.withdraw('leaver');
    await expect(transport.blobs.put('leaver/c/2/0', new Uint8Array(2))).rejects.toThrow(QuotaError);
    expect((await transport.blobs.get(ref))[5]).toBe(3);
    expect([...(await transport.quotas.keys('leaver'))].sort()).toEqual(['leaver/c/1/0', 'leaver/r/1/a/0']);
    await transport.quotas.grant('leaver', 5 * MEGABYTE);
    await transport.blobs.put('leaver/c/2/0', new Uint8Array(MEGABYTE));
    expect((await transport.blobs.get(ref))[5]).toBe(3);
    // Fewer bytes than are stored delete nothing.
    await transport.quotas.grant('leaver', MEGABYTE);
    expect((await transport.blobs.get(ref))[5]).toBe(3);
    await transport.quotas.withdraw('nobody');
    expect(await transport.quotas.keys('nobody')).toEqual([]);
  });

  test('no more is granted than the server has; what one does not use any more another gets', async () => {
    const other = await open('s');
    try {
      await other.quotas.grant('a', 20 * MEGABYTE);
      await expect(other.quotas.grant('b', 20 * MEGABYTE)).rejects.toThrow(
        /no room to set aside 20\.0 MB for what b stores: insufficient storage.*max_file/s,
      );
      await other.blobs.put('a/c/1/0', new Uint8Array(MEGABYTE));
      await other.quotas.withdraw('a');
      await other.quotas.grant('b', 20 * MEGABYTE);
      expect([...(await other.quotas.owners())].sort()).toEqual(['a', 'b']);
      expect(await transport.quotas.owners()).not.toContain('a');
      await other.quotas.remove('a');
      await other.quotas.remove('a');
      expect(await other.quotas.owners()).toEqual(['b']);
    } finally {
      await other.quotas.remove('b');
      await other.close();
    }
  });

  test('the run itself has a quota too, which grows with what it needs', async () => {
    const small = await open('t', MEGABYTE);
    await expect(small.blobs.put('run/data/0', new Uint8Array(2 * MEGABYTE))).rejects.toThrow(/run may not store/);
    await small.close();
    const larger = await open('t', 5 * MEGABYTE);
    await larger.blobs.put('run/data/0', new Uint8Array(2 * MEGABYTE));
    await larger.close();
  });
});
