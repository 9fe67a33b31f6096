import { expect, it } from 'vitest';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { isNeeded, prefixOf } from './needed.js';
import { Rooms } from './rooms.js';
import type { RunState } from './run-state.js';

const list = (key: string) => ({ key, bytes: 1, chunks: 1, hash: 'a'.repeat(64) });
/** Round 9 is open; round 8 is committed, by a snapshot of round 6; on the way there are those who began at round 4. */
const state = {
  rounds: {
    round: 9,
    open: { round: 9 },
    committed: { round: 8 },
    workers: ['here-1', 'here-2'].map((worker) => ({ worker })),
  },
  chain: {
    snapshot: { round: 6, manifest: list('run/s/6/list') },
    results: [7, 8].map((round) => ({ round, manifest: list(`run/r/${round}/att${round}/list`) })),
  },
  retired: [list('run/s/4/list'), list('run/r/5/att5/list')],
  last: { round: 8 },
} as unknown as RunState;

const needed = [
  ...['w/c/8/0/0', 'w/c/9/0/list', 'w/c/10/0/0', 'w/r/5/att5/0', 'w/r/7/att7/3', 'w/r/9/any/0', 'run/o/8/att8/1'],
  ...['run/r/7/att7/list', 'run/s/4/0', 'run/s/6/list', 'run/s/8/0', 'run/configuration', 'run/data/3'],
  ...['here-1/c/99/0/0', 'here-1/r/99/any/0', 'run/r/99/any/list'],
];
const needless = [
  ...['w/c/7/0/0', 'w/r/4/att4/0', 'w/r/8/given-up/0', 'w/r/6/att6/0', 'run/o/8/given-up/1', 'run/s/5/0', 'run/c/9/0'],
  ...[
    'w/s/8/0',
    'w/data/0',
    'w/configuration',
    'w/x/y',
    'w/c/999999/0',
    'w/r/12/any/0',
    'w/c/NaN/0',
    'w/r/08/att8/0',
    'w/c/-1/0',
  ],
];

it('knows what somebody may still fetch', () => {
  expect(needed.filter((key) => !isNeeded(state, key))).toEqual([]);
  expect(needless.filter((key) => isNeeded(state, key))).toEqual([]);
});

it('never deletes what is needed with what is not', () => {
  const below = (prefix: string) => needed.filter((key) => `${key}/`.startsWith(`${prefix}/`));
  // Keys that no honest worker writes: what is needed lies below each.
  for (const key of ['w', 'w/r', 'w/r/7', 'w/c', 'run/s', 'run/r/7']) {
    const prefix = isNeeded(state, key) ? undefined : prefixOf(key);
    expect([key, prefix]).toEqual([key, undefined]);
  }
  for (const key of needless) expect([key, below(prefixOf(key)!)]).toEqual([key, []]);
});

function rooms(network = new MemoryNetwork(), bytes = 100) {
  const { transport } = network.connect();
  const notices: string[] = [];
  const over = { is: false };
  const made = new Rooms({
    ...{ quotas: transport.quotas, blobs: transport.blobs, bytes, state: () => state, isOver: () => over.is },
    onNotice: (message) => void notices.push(message),
  });
  return { network, transport, rooms: made, notices, over };
}

/** A client that may write under a name, as of a worker that was let in. */
async function enter({ network, transport }: ReturnType<typeof rooms>, worker: string) {
  const door = network.door();
  await network.connect().gate.admit([worker], door.key);
  expect(transport).toBeDefined();
  return (await door.enter([worker], `pass-${door.key}`)).blobs;
}

it('gives room to who comes; of who is gone, keeps what others need, and no more', async () => {
  const play = rooms();
  const blobs = await enter(play, 'w-1');
  await expect(blobs.put('w-1/c/9/0/0', new Uint8Array(10))).rejects.toThrow(/may not store/);
  await play.rooms.open('w-1');
  for (const key of ['w-1/c/7/0/0', 'w-1/c/9/0/0', 'w-1/r/7/att7/0', 'w-1/r/7/given-up/0', 'w-1/r', 'w-1/junk'])
    await blobs.put(key, new Uint8Array(10));
  await expect(blobs.put('w-1/c/9/0/1', new Uint8Array(50))).rejects.toThrow(/may not store/);
  await play.rooms.sweep();
  const left = () => [...play.network.blobs.keys()].sort();
  expect(left()).toEqual(['w-1/c/9/0/0', 'w-1/r', 'w-1/r/7/att7/0']);
  await blobs.put('w-1/c/9/0/1', new Uint8Array(50));
  await play.rooms.close('w-1');
  expect(left()).toEqual(['w-1/c/9/0/0', 'w-1/c/9/0/1', 'w-1/r', 'w-1/r/7/att7/0']);
  await expect(blobs.put('w-1/c/9/0/2', new Uint8Array(1))).rejects.toThrow(/may not store/);
  expect(play.notices).toEqual([]);
});

it('deletes all of who is gone when nobody needs any of it, and forgets the oldest of many', async () => {
  const play = rooms();
  for (let i = 0; i < 300; i++) {
    await play.rooms.open(`w-${i}`);
    await play.transport.blobs.put(`w-${i}/junk/${i}`, new Uint8Array(1));
    await play.rooms.close(`w-${i}`);
  }
  expect(play.network.blobs.size).toBe(0);
  await play.rooms.open('w-0');
  await play.rooms.sweep();
  // Beside those of two members.
  expect(play.network.quotas.size).toBe(256 + 3);
  expect([play.network.quotas.get('w-0'), play.network.quotas.has('w-1')]).toEqual([100, false]);
});

it('takes over what another has left: members keep their rooms, others lose theirs', async () => {
  const play = rooms();
  for (const worker of ['here-1', 'gone-1']) await play.transport.quotas.grant(worker, 7);
  await play.rooms.restore();
  expect(Object.fromEntries(play.network.quotas)).toEqual({ 'here-1': 100, 'here-2': 100, 'gone-1': 0 });
});

it('goes on without what cannot be tidied, and says so', async () => {
  const play = rooms();
  await play.rooms.open('w-1');
  play.transport.partitioned = true;
  await play.rooms.close('w-1');
  await play.rooms.sweep();
  expect(play.notices[0]).toMatch(/could not be put in order: The connection is lost/);
  await expect(play.rooms.open('w-2')).rejects.toThrow(/connection is lost/);
  await expect(play.rooms.open('run')).rejects.toThrow(/No worker may be called run/);
});

it('touches nothing when another leads', async () => {
  const play = rooms();
  await play.rooms.open('w-1');
  await play.transport.blobs.put('w-1/c/3/0/0', new Uint8Array(1));
  play.over.is = true;
  await play.rooms.sweep();
  await play.rooms.close('w-1');
  expect(play.network.blobs.size).toBe(1);
  expect(play.network.quotas.get('w-1')).toBe(100);
});
