import { afterEach, expect, it, vi } from 'vitest';
import { LetterModel } from '../serve.test-support.js';
import { Shelf, type ShelfEntry, type ShelfEvent } from './shelf.js';

const events: ShelfEvent[] = [];

afterEach(() => events.splice(0));

/** Entries that open a new model each time, and those that they opened. */
function shelfOf(names: readonly string[], budget: number, more: Partial<ShelfEntry> = {}) {
  const opened: LetterModel[] = [];
  const entries = names.map((name) => ({
    name,
    memory: async () => 100,
    open: async () => {
      const model = new LetterModel({ name });
      opened.push(model);
      return model;
    },
    ...more,
  }));
  return { opened, shelf: new Shelf(entries, budget, (event) => events.push(event)) };
}

const use = async (shelf: Shelf, name: string) => (await shelf.lease(name)).release();

it('opens a model once, however many ask for it at once', async () => {
  const { shelf, opened } = shelfOf(['a'], 100);
  const leases = await Promise.all([1, 2, 3].map(() => shelf.lease('a')));
  expect(opened).toHaveLength(1);
  expect(leases.every(({ model }) => model === opened[0])).toBe(true);
});

it('closes those that were not asked for longest when memory runs out', async () => {
  const { shelf, opened } = shelfOf(['a', 'b', 'c'], 200);
  await use(shelf, 'a');
  await use(shelf, 'b');
  await use(shelf, 'a');
  await use(shelf, 'c');
  expect(opened.map(({ name, closed }) => [name, closed])).toEqual([
    ['a', false],
    ['b', true],
    ['c', false],
  ]);
  expect(shelf.open.map(({ name }) => name)).toEqual(['a', 'c']);
  await use(shelf, 'b');
  expect(opened).toHaveLength(4);
});

it('counts the keys and values of texts', async () => {
  const { shelf, opened } = shelfOf(['a', 'b', 'c'], 300);
  await use(shelf, 'a');
  await use(shelf, 'b');
  opened[1]!.cacheBytes = 100;
  await use(shelf, 'c');
  expect(opened.map(({ closed }) => closed)).toEqual([true, false, false]);
});

it('closes none that is in use: a request for another is told to come again', async () => {
  const { shelf, opened } = shelfOf(['a', 'b'], 100);
  const lease = await shelf.lease('a');
  await expect(shelf.lease('b')).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  expect(opened[0]!.closed).toBe(false);
  lease.release();
  lease.release();
  await use(shelf, 'b');
  expect(opened[0]!.closed).toBe(true);
});

it('opens one alone whatever it takes', async () => {
  const { shelf } = shelfOf(['a'], 10);
  await use(shelf, 'a');
  expect(shelf.open).toHaveLength(1);
});

it('follows a model that changes: new requests have the new one, those that run end with theirs', async () => {
  let version = '1';
  const { shelf, opened } = shelfOf(['a'], 1000, { version: async () => version });
  const running = await shelf.lease('a');
  await shelf.follow();
  expect(opened).toHaveLength(1);
  version = '2';
  await shelf.follow();
  expect(opened).toHaveLength(2);
  const next = await shelf.lease('a');
  expect(next.model).toBe(opened[1]);
  expect(opened[0]!.closed).toBe(false);
  running.release();
  await vi.waitFor(() => expect(opened[0]!.closed).toBe(true));
  expect(opened[1]!.closed).toBe(false);
  expect(events.filter(({ type }) => type === 'closed')).toEqual([{ type: 'closed', model: 'a', reason: 'newer' }]);
});

it('goes on with the model that it has when a newer one cannot be opened, and looks again', async () => {
  let version = '1';
  let broken = false;
  const { shelf, opened } = shelfOf(['a'], 1000, {
    version: async () => {
      if (broken) throw new Error('half written');
      return version;
    },
  });
  await use(shelf, 'a');
  [version, broken] = ['2', true];
  await shelf.follow();
  await shelf.follow();
  expect(events.filter(({ type }) => type === 'failed')).toHaveLength(1);
  await use(shelf, 'a');
  expect(opened).toHaveLength(1);
  broken = false;
  await shelf.follow();
  expect(opened).toHaveLength(2);
});

it('closes all at the end, and opens none any more', async () => {
  const { shelf, opened } = shelfOf(['a', 'b'], 1000);
  await use(shelf, 'a');
  await use(shelf, 'b');
  await shelf.close();
  expect(opened.every(({ closed }) => closed)).toBe(true);
  await expect(shelf.lease('a')).rejects.toMatchObject({ status: 503 });
});
