import { expect, it } from 'vitest';
import { MemoryNetwork } from './memory-transport.test-support.js';
import { OrderDesk, OrderGiver, SESSION } from './orders.js';
import { RunKey } from './signed.js';
import type { ControlChannel } from './transport.js';

/** A coordinator that takes orders, its owner, and all that went over the line. */
function setting() {
  const network = new MemoryNetwork();
  const { transport, key } = network.connect();
  let now = 0;
  const done: unknown[] = [];
  const lead = (run = 'r') => {
    const desk = new OrderDesk(transport.control, key, run, () => now);
    const handler = (what: string) => async (content: unknown) => {
      if (content === 'no') throw new Error('it will not do');
      done.push([run, what, content]);
      return { of: run };
    };
    const stops = [desk.open(), desk.answer('stop', handler('stop')), desk.answer('evict', handler('evict'))];
    return () => {
      for (const stop of stops) stop();
    };
  };
  const asked: { what: string; message: Uint8Array }[] = [];
  const { control } = network.connect().transport;
  const line: ControlChannel = {
    ...control,
    ask: (what, message, timeout) => {
      asked.push({ what, message });
      return control.ask(what, message, timeout);
    },
  };
  const text = async (what: string, message: Uint8Array) =>
    new TextDecoder().decode(await control.ask(what, message, 1000));
  const giver = (by = key, run = 'r') => new OrderGiver(line, by, run);
  return { network, key, lead, giver, done, asked, text, later: (milliseconds: number) => (now += milliseconds) };
}

it('does what the owner orders, and tells its reason where it does not', async () => {
  const { lead, giver, done } = setting();
  lead();
  const owner = giver();
  expect(await owner.give('stop', {}, 1000)).toEqual({ of: 'r' });
  expect(await owner.give('evict', { worker: 'a' }, 1000)).toEqual({ of: 'r' });
  expect(done).toEqual([
    ['r', 'stop', {}],
    ['r', 'evict', { worker: 'a' }],
  ]);
  await expect(owner.give('evict', 'no', 1000)).rejects.toThrow('it will not do');
  await expect(owner.give('evict', 'x'.repeat(20_000), 1000)).rejects.toThrow('16384 bytes at most');
});

it('takes none that is unsigned, of another key, or that the coordinator itself has signed', async () => {
  const { key, lead, giver, done, text, asked } = setting();
  lead();
  await giver().give('stop', {}, 1000);
  const order = asked.at(-1)!.message;
  done.length = 0;
  const content = new TextDecoder().decode(order.subarray(64));
  const bytes = (of: string) => new TextEncoder().encode(of);
  const again = content.replace(/"id":"[^"]+"/, '"id":"other"');
  for (const forged of [
    new Uint8Array(0),
    bytes(content),
    Buffer.concat([order.subarray(0, 64), bytes(again)]),
    RunKey.make().signed('order', bytes(again)),
    key.signed('down', bytes(again)),
    key.signed('answer', bytes(again)),
  ])
    expect(await text('stop', forged)).toContain('"done":false');
  await expect(giver(RunKey.make()).give('stop', {}, 1000)).rejects.toThrow(/not signed by this run's coordinator/);
  expect(done).toEqual([]);
});

it('takes none twice, for another order, in another run, after a restart, or after two minutes', async () => {
  const { lead, giver, done, text, asked, later } = setting();
  const stop = lead();
  const owner = giver();
  await owner.give('stop', {}, 1000);
  const order = asked.at(-1)!.message;
  done.length = 0;
  expect(await text('stop', order)).toContain('was taken already');
  expect(await text('evict', order)).toContain('is to stop run r, not to evict run r');
  stop();
  const other = lead('other');
  expect(await text('stop', order)).toContain('not to stop run other');
  other();
  lead();
  expect(await text('stop', order)).toContain('its session is over');
  // One that was kept back meanwhile. The owner who asks a new session is understood.
  await owner.give('evict', {}, 1000);
  expect(done).toEqual([['r', 'evict', {}]]);
  const signedLater = asked.findLast(({ what }) => what === 'evict')!.message;
  later(119_999);
  expect(await text('evict', signedLater)).toContain('was taken already');
  later(1);
  expect(await text('evict', signedLater)).toContain('its session is over');
  expect(done).toHaveLength(1);
});

it('believes no other who answers in the place of the coordinator', async () => {
  const { network, lead, giver, asked } = setting();
  const stop = lead();
  const owner = giver();
  await owner.give('stop', {}, 1000);
  stop();
  const { transport } = network.connect();
  const liar = RunKey.make();
  const answer = new TextEncoder().encode('{"done":true,"result":{}}');
  transport.control.answer('stop', async (bytes) => liar.signed('answer', answer, bytes));
  await expect(owner.give('stop', {}, 1000)).rejects.toThrow(/another has answered in its place/);
  transport.control.answer(SESSION, async () => new TextEncoder().encode('"mine"'));
  await expect(giver().give('stop', {}, 1000)).rejects.toThrow(/another has answered in its place/);
  expect(asked.filter(({ what }) => what === 'stop')).toHaveLength(2);
});
