import { afterEach, expect, it } from 'vitest';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { WorkerEvent } from '../events.js';
import type { ModelHandle } from '../model-thread/commands.js';
import type { Chain, DownMessage, StartMessage } from '../protocol/down.js';
import { type UpMessage, upMessage } from '../protocol/up.js';
import { decodeMessage } from '../protocol/wire.js';
import { putSnapshot } from '../snapshot.js';
import { BlobCache } from './blob-cache.js';
import { MemberDriver } from './member.js';

const hash = (n: number) => String(n).padStart(64, '0');
let member: MemberDriver | undefined;
afterEach(() => member?.leave('the test is over'));

/** A member whose model is one number, and what it says. */
async function live(heartbeatSeconds = 60, endless = false) {
  const network = new MemoryNetwork();
  const { blobs, control } = network.connect().transport;
  const said: UpMessage[] = [];
  network.filter = (_, bytes) => said.push(decodeMessage(bytes, upMessage, 'a message')) < 0;
  const asked: string[] = [];
  let stop = () => {};
  const ask = async (name: string, input: unknown) => {
    asked.push(name);
    if (name === 'load') return hash((input as Float32Array[])[0]![0]!);
    const trained = { tokens: 64, weight: 7, steps: 2, seconds: 1, loss: 2, gradientNorm: 1, finite: true, norm: 1 };
    if (name === 'train' && endless) return new Promise((resolve) => void (stop = () => resolve(null)));
    return name === 'train' ? { ...trained, parts: [Uint8Array.of(1)] } : null;
  };
  const cancel = () => {
    asked.push('cancel');
    stop();
  };
  const thread = { ask, cancel, close: async () => {} } as unknown as ModelHandle;
  const events: WorkerEvent[] = [];
  member = new MemberDriver({
    ...{
      run: 'r',
      worker: 'w',
      incarnation: 3,
      control,
      blobs: new BlobCache(blobs, { members: 1, mostBytes: 1e6 }),
      thread,
      sizes: [[1]],
      vectors: 1,
      overlap: 0,
    },
    ...{ layout: { hash: 'layout', length: 1 }, heartbeatSeconds, siblings: 1 },
    emit: (event) => events.push(event),
  });
  member.start();
  const manifest = await putSnapshot(blobs, 'run/s/5', [Float32Array.of(5)]);
  const chain: Chain = { snapshot: { round: 5, hash: hash(5), manifest }, results: [] };
  const committed = { round: 5, hash: hash(5) };
  const hear = async (message: DownMessage, incarnation = 3) => {
    member!.receive(incarnation, message);
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const startRound: StartMessage = {
    type: 'startRound',
    ...{ round: 6, base: committed, steps: 2, fragment: 0, next: null },
    ...{ position: 0, advance: 2, lease: [{ epoch: 0, start: 0, end: 4 }] },
  };
  const standing = { committed, closed: 5, chain };
  return { said, asked, events, hear, startRound, standing, types: () => said.map(({ type }) => type) };
}

it('joins, takes the committed parameters, reports their hash, trains and contributes', async () => {
  const { said, hear, standing, startRound, events, types } = await live();
  await hear({ type: 'welcome', ...standing });
  expect(said).toMatchObject([
    { type: 'join', worker: 'w', incarnation: 3, layoutHash: 'layout' },
    { type: 'report', round: 5, closed: 5, hash: hash(5) },
  ]);
  await hear(startRound);
  await hear(startRound);
  expect(types()).toEqual(['join', 'report', 'contribution']);
  expect(said[2]).toMatchObject({
    ...{ round: 6, baseHash: hash(5), tokens: 64, weight: 7, norm: 1 },
    manifest: { key: 'w/c/6/3/list' },
  });
  expect(events.filter(({ type }) => type === 'contributed')).toHaveLength(1);
});

it('repeats with each heartbeat what was not accepted', async () => {
  const { hear, standing, startRound, types } = await live(0.03);
  await hear({ type: 'welcome', ...standing });
  await hear(startRound);
  await hear({ type: 'accepted', round: 5 });
  await new Promise((resolve) => setTimeout(resolve, 80));
  const count = () => types().filter((type) => type === 'contribution').length;
  expect(count()).toBeGreaterThan(1);
  await hear({ type: 'accepted', round: 6 });
  const before = count();
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(count()).toBe(before);
});

it('goes back after an abort and reports what it holds', async () => {
  const { said, asked, events, hear, standing, startRound } = await live();
  await hear({ type: 'welcome', ...standing });
  await hear(startRound);
  await hear({ type: 'abort', ...standing, closed: 6, round: 6, reason: 'too few' });
  expect(asked).toEqual(['load', 'rollback', 'train', 'rollback']);
  expect(said.at(-1)).toMatchObject({ type: 'report', round: 5, closed: 6, hash: hash(5) });
  expect(events.at(-1)).toMatchObject({ type: 'aborted', round: 6, reason: 'too few' });
});

it('ends the steps of a round that is aborted, and then goes back', async () => {
  const { said, asked, hear, standing, startRound } = await live(60, true);
  await hear({ type: 'welcome', ...standing });
  await hear(startRound);
  expect(member!.doing).toMatchObject({ what: 'its steps of round 6', busy: true });
  await hear({ type: 'abort', ...standing, closed: 6, round: 6, reason: 'too few' });
  expect(asked).toEqual(['load', 'rollback', 'train', 'cancel', 'rollback']);
  expect(said.at(-1)).toMatchObject({ type: 'report', round: 5, closed: 6, hash: hash(5) });
});

it("trains from nothing but the round's base, and never in a round that is over", async () => {
  const { hear, standing, startRound, types } = await live();
  await hear(startRound);
  await hear({ type: 'welcome', ...standing, closed: 7 });
  await hear(startRound);
  await hear({ ...startRound, round: 8, base: { round: 5, hash: hash(4) } });
  await hear({ ...startRound, round: 8, base: { round: 4, hash: hash(5) } });
  expect(types()).toEqual(['join', 'report']);
});

it('begins a new life when its last is over for the coordinator, and hears nothing of the old', async () => {
  const { said, hear, standing, types } = await live();
  await hear({ type: 'evict', reason: 'silent', banned: false });
  expect(said.at(-1)).toMatchObject({ type: 'join', incarnation: 4 });
  await hear({ type: 'welcome', ...standing });
  expect(types()).toEqual(['join', 'join']);
  await hear({ type: 'welcome', ...standing }, 4);
  expect(said.at(-1)).toMatchObject({ type: 'report', incarnation: 4 });
});

it.each([
  [{ type: 'evict', reason: 'bad', banned: true }, 'evicted'],
  [{ type: 'refuse', about: 'heartbeat', code: 'stopped', reason: 'over' }, 'finished'],
  [{ type: 'refuse', about: 'join', code: 'evicted', reason: 'bad' }, 'evicted'],
] as const)('ends when it hears %o', async (message, ended) => {
  const { hear } = await live();
  await hear(message);
  expect(await member!.ended).toBe(ended);
});

it('fails with the reason when the run does not take it', async () => {
  const { hear } = await live();
  const failed = expect(member!.ended).rejects.toThrow('w was refused: another layout');
  await hear({ type: 'refuse', about: 'join', code: 'wrong-layout', reason: 'another layout' });
  await failed;
});

it('ends as evicted when the message system has shut its process out', async () => {
  const { hear, standing, types } = await live();
  await hear({ type: 'welcome', ...standing });
  const said = types().length;
  member!.shutOut();
  expect(await member!.ended).toBe('evicted');
  member!.shutOut();
  expect(types()).toHaveLength(said);
});
