import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { StateConflictError } from '../errors.js';
import type { StateStore, StateValue } from '../transport.js';
import { LeadershipLease } from './lease.js';

const TTL = 160;
const KEY = 'leader';

/** A store that can be made to fail or hang for one who holds it. */
class Store implements StateStore {
  value: StateValue | undefined;

  async get(): Promise<StateValue | undefined> {
    return this.value;
  }

  async set(_: string, value: Uint8Array, revision: number): Promise<number> {
    if ((this.value?.revision ?? 0) !== revision) throw new StateConflictError('too late');
    this.value = { value, revision: revision + 1 };
    return revision + 1;
  }

  async watch(): Promise<() => void> {
    return () => {};
  }
}

function view(store: Store, may: () => boolean): StateStore {
  return {
    get: () => store.get(),
    set: (key, value, revision) => (may() ? store.set(key, value, revision) : new Promise(() => {})),
    watch: () => store.watch(),
  };
}

test('one leads as long as it lives; the next leads when it releases', async () => {
  const store = new Store();
  const first = await LeadershipLease.acquire(store, { key: KEY, holder: 'a', ttl: TTL });
  const waiting: string[] = [];
  let second: LeadershipLease | undefined;
  const acquiring = LeadershipLease.acquire(store, {
    key: KEY,
    holder: 'b',
    ttl: TTL,
    onWaiting: (holder) => waiting.push(holder),
  }).then((lease) => (second = lease));
  await sleep(3 * TTL);
  expect(second).toBeUndefined();
  expect(first.lost.aborted).toBe(false);
  expect(waiting).toEqual(['a']);
  await first.release();
  const lease = await acquiring;
  expect([first.term, lease.term]).toEqual([1, 2]);
  expect(first.lost.aborted).toBe(true);
  await lease.release();
});

test('one that cannot write gives up before the next leads', async () => {
  const store = new Store();
  let connected = true;
  const first = await LeadershipLease.acquire(
    view(store, () => connected),
    { key: KEY, holder: 'a', ttl: TTL },
  );
  connected = false;
  const second = await LeadershipLease.acquire(store, { key: KEY, holder: 'b', ttl: TTL });
  expect(first.lost.aborted).toBe(true);
  expect(String(first.lost.reason)).toMatch(/in time/);
  expect(second.term).toBe(2);
  await Promise.all([first.release(), second.release()]);
});

test('one that another has overtaken stops', async () => {
  const store = new Store();
  const first = await LeadershipLease.acquire(store, { key: KEY, holder: 'a', ttl: TTL });
  await store.set(KEY, store.value!.value, store.value!.revision);
  await new Promise((resolve) => first.lost.addEventListener('abort', resolve));
  expect(String(first.lost.reason)).toMatch(/another leads/);
  const { revision } = store.value!;
  await first.release();
  expect(store.value!.revision).toBe(revision);
});

test('of many that try at once one leads', async () => {
  const store = new Store();
  const stop = new AbortController();
  const leaders: LeadershipLease[] = [];
  const tries = Array.from({ length: 8 }, (_, i) =>
    LeadershipLease.acquire(store, { key: KEY, holder: `h${i}`, ttl: TTL }, stop.signal).then(
      (lease) => leaders.push(lease),
      () => {},
    ),
  );
  await sleep(2 * TTL);
  expect(leaders).toHaveLength(1);
  stop.abort();
  await Promise.all(tries);
  await leaders[0]!.release();
});

test('clocks that are wrong by hours, or garbage in place of a lease, do not matter', async () => {
  const store = new Store();
  const offset = 3_600_000;
  const first = await LeadershipLease.acquire(store, {
    key: KEY,
    holder: 'a',
    ttl: TTL,
    now: () => performance.now() + offset,
  });
  const stop = new AbortController();
  const second = LeadershipLease.acquire(
    store,
    { key: KEY, holder: 'b', ttl: TTL, now: () => performance.now() - 7_200_000 },
    stop.signal,
  );
  await sleep(2 * TTL);
  expect(first.lost.aborted).toBe(false);
  stop.abort();
  await expect(second).rejects.toThrow();
  await first.release();
  for (const garbage of ['', 'null', '{"id":7}', '\u0000\u00ff']) {
    store.value = { value: new TextEncoder().encode(garbage), revision: store.value!.revision + 1 };
    const lease = await LeadershipLease.acquire(store, { key: KEY, holder: 'c', ttl: TTL });
    expect(lease.term).toBe(1);
    await lease.release();
  }
});
