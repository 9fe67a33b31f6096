import { expect, it } from 'vitest';
import type { MessageToWorker } from '../../rounds/index.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { RunVerifier } from '../../transport/signed.js';
import { downEnvelope } from '../protocol/down.js';
import { decodeMessage, encodeMessage } from '../protocol/wire.js';
import { contextOf, hashOf, Play } from './coordinator.test-support.js';
import { Mailbox, readMessage } from './mailbox.js';

function sentBy(play: Play) {
  const network = new MemoryNetwork();
  const sent: unknown[] = [];
  network.filter = (address, bytes) => {
    const opened = new RunVerifier(network.key.public).opened('down', bytes);
    const { message, worker } = decodeMessage(opened, downEnvelope, 'a message');
    expect(address).toEqual({ to: 'down', worker });
    sent.push({ worker, ...message });
    return false;
  };
  const mailbox = new Mailbox(network.connect().transport.control, 'r', play.context, network.key, 1);
  for (const effect of play.last.effects)
    if (effect.type !== 'merge' && effect.type !== 'waiting') mailbox.deliver(effect as MessageToWorker, play.state);
  return sent;
}

it('tells each member of a round its own samples and where the rate stands', () => {
  const play = new Play();
  play.join('a');
  play.join('b');
  const base = { round: 0, hash: hashOf(0) };
  expect(sentBy(play)).toEqual(
    ['a', 'b'].map((worker, i) => ({
      ...{ worker, type: 'startRound', round: 1, base, steps: 4, fragment: 0, position: 0, advance: 4, next: null },
      lease: [{ epoch: 0, start: 8 * i, end: 8 * i + 8 }],
    })),
  );
});

it('tells members what to go on with where fragments are exchanged', () => {
  const play = new Play(contextOf(2));
  play.join('a');
  play.join('b');
  expect(sentBy(play)[0]).toMatchObject({
    fragment: 0,
    next: { fragment: 1, steps: 4, position: 4, advance: 4, lease: [{ epoch: 0, start: 8, end: 16 }] },
  });
});

it('sends the way to the committed parameters with every word about them', () => {
  const play = new Play();
  play.join('a');
  play.join('b');
  for (const worker of ['a', 'b']) play.contribute(worker);
  play.merged();
  const sent = sentBy(play);
  expect(sent).toHaveLength(2);
  expect(sent[1]).toMatchObject({ type: 'commit', worker: 'b', closed: 1, chain: play.state.chain });
  play.happen({ type: 'event', event: { type: 'evict', worker: 'b', reason: 'bad' } });
  expect(sentBy(play)).toEqual([{ worker: 'b', type: 'evict', banned: true, reason: 'evicted: bad' }]);
});

it('reads what a worker says in its own name alone', () => {
  const leave = { type: 'leave', run: 'r', worker: 'a', incarnation: 0, reason: 'x' };
  expect(readMessage(encodeMessage(leave), 'a')).toEqual(leave);
  expect(readMessage(encodeMessage(leave), 'b')).toEqual({
    worker: 'b',
    about: 'leave',
    reason: 'b may not speak for a',
  });
  expect(readMessage(Uint8Array.of(1), 'a')).toMatchObject({ about: 'message' });
});
