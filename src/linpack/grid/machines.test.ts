import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../../engine/node/engine.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { Door, Transport } from '../../transport/transport.js';
import { joinGrid } from './guest.js';
import { coordinate, type GridEvent } from './host.js';
import { type Hosting, newHosting, tickHost } from './hosting.js';
import { Layout } from './layout.js';
import { encodeGrid, type GridUp } from './protocol.js';

const engine = new NodeEngine();

function together(layout: Layout, options: { patience?: number; memory?: number } = {}) {
  const network = new MemoryNetwork();
  const events: GridEvent[] = [];
  const result = coordinate(network.connect(), {
    layout,
    patience: options.patience ?? 60,
    onEvent: (event) => events.push(event),
  });
  const guests = Array.from({ length: layout.size }, () => {
    const door = network.door();
    return {
      door,
      end: joinGrid({
        door,
        engine,
        onEvent: () => {},
        ...(options.memory !== undefined && { memory: options.memory }),
      }),
    };
  });
  for (const { end } of guests) end.catch(() => {});
  result.catch(() => {});
  return { network, events, result, guests };
}

it('machines solve a system over a message system', async () => {
  const { result, guests, events, network } = together(new Layout(220, 48, 2, 2));
  const { residual, gflops } = await result;
  expect(residual).toBeLessThan(16);
  expect(gflops).toBeGreaterThan(0);
  await Promise.all(guests.map(({ end }) => end));
  expect(events.filter(({ type }) => type === 'refused')).toEqual([]);
  expect(events.filter(({ type }) => type === 'joined')).toHaveLength(4);
  // What was large was stored, and is gone but for what the last steps left.
  expect([...network.blobs.keys()].filter((key) => /^m\d\/[0-2]\//.test(key))).toEqual([]);
});

describe('a grid ends for all, and says why,', () => {
  it('where a machine dies', async () => {
    const { result, guests } = together(new Layout(20_000, 256, 1, 2), { patience: 2, memory: 1e12 });
    await expect.poll(() => (guests[1]!.door as Door & { transport?: Transport }).transport).toBeDefined();
    (guests[1]!.door as Door & { transport: { cut(): void } }).transport.cut();
    await expect(result).rejects.toThrow(/Machine [01] \(.*\) has not been heard for 2 seconds/);
  });
});

it('who comes without memory, or to a grid that is full, is told so', async () => {
  const { guests } = together(new Layout(2000, 64, 1, 2), { memory: 1e6 });
  await expect(guests[0]!.end).rejects.toThrow(/needs 0\.\d\d GB, it has 0\.00 GB free/);
});

describe('the machine that coordinates', () => {
  const ready = (size: number): Hosting => {
    let state = newHosting(size, 10);
    for (let rank = 0; rank < size; rank++) state = tickHost(state, { type: 'joined', host: `h${rank}` }, 0).state;
    for (let rank = 0; rank < size; rank++) state = hear(state, rank, { type: 'beat', begun: false }).state;
    return state;
  };
  const hear = (state: Hosting, rank: number, message: GridUp, now = 1) =>
    tickHost(state, { type: 'up', rank, message }, now);

  it('begins when the last is ready, and again with who has not heard it', () => {
    let state = newHosting(2, 10);
    state = tickHost(state, { type: 'joined', host: 'a' }, 0).state;
    const early = hear(state, 0, { type: 'beat', begun: false });
    expect(early.effects).toEqual([]);
    state = tickHost(early.state, { type: 'joined', host: 'b' }, 0).state;
    const last = hear(state, 1, { type: 'beat', begun: false });
    expect(last.effects).toEqual([{ type: 'say', to: [0, 1], message: { type: 'begin' } }]);
    expect(hear(last.state, 0, { type: 'beat', begun: false }).effects).toMatchObject([{ to: [0] }]);
    expect(hear(last.state, 0, { type: 'beat', begun: true }).effects).toEqual([]);
  });

  const content = { inline: '' };
  it.each<[string, number, GridUp, RegExp]>([
    ['a stranger’s', 7, { type: 'beat', begun: true }, /a machine that there is not/],
    ['a letter to oneself', 1, { type: 'letter', to: [1], kind: 'go', step: 0, content }, /to machines 1/],
    ['a letter to nobody', 1, { type: 'letter', to: [3], kind: 'go', step: 0, content }, /there are 0 to 2/],
    ['a letter twice to one', 1, { type: 'letter', to: [0, 0], kind: 'go', step: 0, content }, /to machines 0, 0/],
    [
      'another’s values',
      1,
      {
        type: 'letter',
        to: [0],
        kind: 'top',
        step: 3,
        content: { stored: { key: 'm2/3/top-0', bytes: 8, chunks: 1, hash: '0'.repeat(64) } },
      },
      /lie at m2\/3\/top-0/,
    ],
    ['no residual', 0, { type: 'result', milliseconds: 1, residual: null, productGflops: 1 }, /without its residual/],
  ])('refuses %s word', (_, rank, message, reason) => {
    const { effects } = hear(ready(3), rank, message);
    expect(effects).toMatchObject([{ type: 'refused', rank, reason: expect.stringMatching(reason) }]);
  });

  it('refuses letters before all are there', () => {
    const { state } = tickHost(newHosting(2, 10), { type: 'joined', host: 'a' }, 0);
    expect(hear(state, 0, { type: 'letter', to: [1], kind: 'go', step: 0, content }).effects).toMatchObject([
      { reason: expect.stringMatching(/before all machines/) },
    ]);
  });

  it('forgets the letters of a step when all are through with it', () => {
    let state = ready(2);
    state = hear(state, 0, { type: 'done', step: 4 }).state;
    const { effects } = hear(state, 1, { type: 'done', step: 2 });
    expect(effects).toEqual([{ type: 'forget', from: 0, steps: 3 }]);
  });

  it('ends for all where one fails, and hears nothing more', () => {
    const { state, effects } = hear(ready(2), 1, { type: 'failed', reason: 'no disk' });
    expect(effects).toMatchObject([
      { type: 'say', to: [0, 1], message: { type: 'end', reason: 'Machine 1 (h1) failed: no disk' } },
      { type: 'failed' },
    ]);
    expect(hear(state, 0, { type: 'done', step: 0 }).effects).toEqual([]);
  });
});

it('words that cannot be read are refused by whom they are from', async () => {
  const { network, events, guests, result } = together(new Layout(90, 40, 1, 2));
  const sender = network.connect().transport;
  for (const bytes of [
    new Uint8Array([255]),
    encodeGrid({ type: 'beat' }),
    encodeGrid({ type: 'letter', to: [-1] }),
    new Uint8Array(300_000),
  ])
    sender.control.send({ to: 'up', worker: 'm0' }, bytes);
  // Not signed by the run's coordinator: a guest does not act on it.
  sender.control.send({ to: 'down', worker: 'm1' }, encodeGrid({ type: 'end', reason: 'false' }));
  expect((await result).residual).toBeLessThan(16);
  await Promise.all(guests.map(({ end }) => end));
  expect(events.filter(({ type }) => type === 'refused')).toHaveLength(4);
});
