import { afterEach, expect, it } from 'vitest';
import { RunKey } from '../../transport/signed.js';
import { event, TestCluster } from '../cluster.test-support.js';
import { ASK } from '../protocol/admission.js';
import { type DownMessage, downEnvelope } from '../protocol/down.js';
import { decodeMessage, encodeMessage } from '../protocol/wire.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

const evict: DownMessage = { type: 'evict', reason: 'because I can', banned: true };

it('obeys nobody but the coordinator, whoever runs the server, and says so once', async () => {
  cluster = await TestCluster.create({ steps: 100_000 });
  const { network } = cluster;
  const coordinator = cluster.coordinator();
  const worker = cluster.worker();
  const { workers, run } = await event(worker.events, 'joined');
  const name = workers[0]!;
  await event(coordinator.events, 'round');
  const server = network.connect().transport;
  const envelope = (message: DownMessage) =>
    encodeMessage({ run, worker: name, incarnation: 0, term: Number.MAX_SAFE_INTEGER, sequence: 0, message });
  const say = (bytes: Uint8Array) => server.control.send({ to: 'down', worker: name }, bytes);
  say(envelope(evict));
  say(RunKey.make().signed('down', envelope(evict)));
  // Signed indeed, but as something else, or for another run.
  say(network.key.signed('state', envelope(evict)));
  say(network.key.signed('join', envelope(evict)));
  say(network.key.signed('down', encodeMessage({ ...decoded(envelope(evict)), run: 'another' })));
  const before = coordinator.run.status()!.committed.round;
  await event(coordinator.events, 'round', ({ round }) => round > before + 2);
  const told = worker.events.flatMap((one) => (one.type === 'notice' ? one.message : []));
  expect(told.filter((text) => text.includes('its signature is not by the key'))).toHaveLength(1);
  say(network.key.signed('down', envelope(evict)));
  expect((await worker.run.result).ended).toBe('evicted');
});

it('does nothing twice: what was kept and is sent again does not count', async () => {
  cluster = await TestCluster.create({ steps: 100_000 });
  const { network } = cluster;
  const kept: { readonly worker: string; readonly bytes: Uint8Array }[] = [];
  network.filter = (address, bytes) => {
    if (address.to === 'down' && kept.length < 200) kept.push({ worker: address.worker, bytes });
    return true;
  };
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker(), cluster.worker()];
  await event(coordinator.events, 'round', ({ round }) => round >= 5);
  const first = coordinator.client();
  await coordinator.kill();
  expect(first.reachable).toBe(false);
  const second = cluster.coordinator(true);
  const { round } = await event(second.events, 'leading');
  const server = network.connect().transport;
  for (const { worker, bytes } of kept) server.control.send({ to: 'down', worker }, bytes);
  await event(second.events, 'round', (one) => one.round > round + 3);
  expect(second.events.filter(({ type }) => type === 'aborted' || type === 'refused')).toEqual([]);
  for (const { events } of workers) expect(events.filter(({ type }) => type === 'aborted')).toEqual([]);
});

it('is let in by the coordinator alone, and by no answer to another question', async () => {
  cluster = await TestCluster.create({ steps: 20 });
  const { network } = cluster;
  const refusal = encodeMessage({ accepted: false, code: 'stopped', reason: 'the run is over' });
  const liar = network.connect().transport;
  const questions: Uint8Array[] = [];
  const stop = liar.control.answer(ASK.admission, async (request) => {
    questions.push(request);
    const about = [request, new Uint8Array(0)][questions.length - 1];
    const key = questions.length === 1 ? RunKey.make() : network.key;
    return about ? key.signed('join', refusal, about) : refusal;
  });
  const worker = cluster.worker();
  const waiting = await event(worker.events, 'waiting', () => questions.length >= 3);
  expect(waiting.for).toContain('its signature is not by the key');
  stop();
  cluster.coordinator();
  expect((await worker.run.result).ended).toBe('finished');
});

const decoded = (bytes: Uint8Array) => decodeMessage(bytes, downEnvelope, 'a message');
