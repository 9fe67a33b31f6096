import { afterEach, expect, it } from 'vitest';
import type { Client } from '../../transport/memory-transport.test-support.js';
import { RunVerifier } from '../../transport/signed.js';
import { event, modelThreadHere, TestCluster } from '../cluster.test-support.js';
import { ASK, admissionAnswer } from '../protocol/admission.js';
import { downEnvelope } from '../protocol/down.js';
import { upMessage } from '../protocol/up.js';
import { decodeMessage, encodeMessage, PROTOCOL } from '../protocol/wire.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

/** Rewrites what a worker says before it is heard: the worker itself is honest, and does not know. */
function rewrite({ network }: TestCluster, worker: () => string | undefined, how: (message: never) => object): void {
  const other = network.connect().transport;
  const ours = new WeakSet<object>();
  network.filter = (address, bytes) => {
    if (address.to !== 'up' || address.worker !== worker() || ours.has(bytes)) return true;
    const message = decodeMessage(bytes, upMessage, 'a message');
    const said = encodeMessage(how(message as never));
    ours.add(said);
    other.control.send(address, said);
    return false;
  };
}

/** A run of two honest workers and one whose words are rewritten. */
async function withLiar(how: (message: never) => object) {
  cluster = await TestCluster.create({ steps: 4000 }, { minWorkers: 2 });
  const coordinator = cluster.coordinator();
  let name: string | undefined;
  rewrite(cluster, () => name, how);
  const liar = cluster.worker();
  name = (await event(liar.events, 'joined')).workers[0]!;
  const honest = [cluster.worker(), cluster.worker()];
  return { cluster, coordinator, liar, honest, name };
}

it.each([
  ['tokens', { tokens: 2 ** 53 - 1 }, 'wrong-steps'],
  ['a weight', { weight: 1e12 }, 'wrong-weight'],
  ['steps', { steps: 9e15, tokens: 2 ** 53 - 1 }, 'wrong-steps'],
  ['a norm that no steps come to', { norm: 1e30 }, 'outlier'],
])('does not believe %s; who goes on so is suspended, and rounds go on without it', async (_, lie, code) => {
  const { coordinator, name, liar } = await withLiar((message: { type: string }) =>
    message.type === 'contribution' ? { ...message, ...lie } : message,
  );
  const refused = await event(
    coordinator.events,
    'refused',
    ({ worker, code: found }) => worker === name && found === code,
  );
  expect(refused.about).toBe('contribution');
  await event(liar.events, 'notice', ({ message }) => message.includes('suspended for 300 seconds'));
  const { round } = coordinator.run.status()!.committed;
  const next = await event(coordinator.events, 'round', (one) => one.round > round + 2);
  expect(next.workers).toHaveLength(2);
  expect(next.workers).not.toContain(name);
  expect(coordinator.run.status()!.tokens).toBeLessThan(1e6);
});

it('takes no sum of other bytes than a sum has, and none of who was not asked', async () => {
  const { coordinator, name } = await withLiar((message: { type: string; result?: object; shard?: number }) => {
    if (message.type !== 'reduced') return message;
    return message.shard === 0
      ? { ...message, result: { ...message.result, bytes: 2 ** 50 } }
      : { ...message, shard: 3 - message.shard! };
  });
  const { reason } = await event(coordinator.events, 'refused', ({ worker }) => worker === name);
  expect(reason).toMatch(/bytes|is not .* to reduce/);
  const { round } = coordinator.run.status()!.committed;
  await event(coordinator.events, 'round', (one) => one.round > round + 2);
});

it('goes back from a stored state that cannot be read to the newest in its folder', async () => {
  cluster = await TestCluster.create({ steps: 400 });
  const first = cluster.coordinator();
  const worker = cluster.worker();
  await event(first.events, 'round', ({ round }) => round >= 5);
  await first.kill();
  worker.kill();
  const { network } = cluster;
  const { revision } = network.state.get('state')!;
  network.state.set('state', { value: network.key.signed('state', encodeMessage({ tokens: 2 ** 54 })), revision });
  const second = cluster.coordinator(true);
  const { message } = await event(second.events, 'notice', ({ message }) => message.includes('Went back to round'));
  expect(message).toContain('the state of a run in the message system');
  cluster.worker();
  const { round } = await event(second.events, 'leading');
  expect(round).toBeGreaterThanOrEqual(5);
  await event(second.events, 'round', (one) => one.round > round);
});

it('keeps a committed result as it was read, whatever its reducer writes after', async () => {
  cluster = await TestCluster.create({ steps: 4000 }, { minWorkers: 2 });
  const coordinator = cluster.coordinator();
  const door = cluster.network.door();
  const reducer = cluster.worker({ door });
  cluster.worker();
  const [name] = (await event(reducer.events, 'joined')).workers;
  await event(coordinator.events, 'round', ({ round }) => round > 2);
  const client = door.transport as Client;
  const results = [...cluster.network.blobs.keys()].filter((key) => key.startsWith(`${name}/r/`));
  expect(results.length).toBeGreaterThan(0);
  for (const key of results) await expect(client.blobs.put(key, Uint8Array.of(0))).rejects.toThrow('written already');
  // Who joins later comes along the chain.
  const late = cluster.worker({ startThread: () => modelThreadHere() });
  await event(late.events, 'contributed');
});

it('answers whoever floods it, and suspends it', async () => {
  cluster = await TestCluster.create({ steps: 4000 });
  const coordinator = cluster.coordinator();
  cluster.worker();
  await event(coordinator.events, 'leading');
  const door = cluster.network.door();
  const ask = { protocol: PROTOCOL, version: '0.1.0', key: door.key, replicas: 1, host: 'flood', memory: 2 ** 50 };
  const verifier = new RunVerifier(cluster.network.key.public);
  const request = encodeMessage(ask);
  const answered = verifier.opened('join', await door.ask(ASK.admission, request, 5000), request);
  const answer = decodeMessage(answered, admissionAnswer, 'an answer');
  if (!answer.accepted) throw new Error(answer.reason);
  const { worker, incarnation } = answer.workers[0]!;
  const client = (await door.enter([worker], answer.pass)) as Client;
  const told: string[] = [];
  client.control.listen({ to: 'down', worker }, (bytes) => {
    const { message } = decodeMessage(verifier.opened('down', bytes), downEnvelope, 'a message');
    if (message.type === 'refuse' || message.type === 'evict') told.push(message.reason);
  });
  const say = (body: object) =>
    client.control.send({ to: 'up', worker }, encodeMessage({ run: answer.run, worker, incarnation, ...body }));
  const { layoutHash } = JSON.parse(new TextDecoder().decode(await client.blobs.get(answer.configuration)));
  say({ type: 'join', layoutHash, stepsPerSecond: null });
  await event(coordinator.events, 'member', (one) => one.worker === worker);
  for (let i = 0; i < 40; i++) say({ type: 'nonsense', number: i });
  await expect.poll(() => told.at(-1)).toMatch(/suspended for 300 seconds: 30 of its messages were refused/);
  const { round } = coordinator.run.status()!.committed;
  await event(coordinator.events, 'round', (one) => one.round > round + 1);
});
