import { expect, it, vi } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { Model } from '../../model/model.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { OrderDesk, OrderGiver } from '../../transport/orders.js';
import { RunVerifier } from '../../transport/signed.js';
import { ASK } from '../protocol/admission.js';
import { encodeMessage, PROTOCOL } from '../protocol/wire.js';
import { type AnswerOptions, answerQuestions } from './answers.js';
import { Play } from './coordinator.test-support.js';

const model = Model.create('gpt2', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 60 });
const setup = { outer: { method: 'average' }, gradAccum: 1, batchSize: 4, optimizer: {}, cluster: { format: 'fp32' } };

/** A coordinator that notes what happens, and someone who asks it. */
function asking() {
  const { transport, gate, key } = new MemoryNetwork().connect();
  const play = new Play();
  const happen = vi.fn(async () => {});
  const refuse = vi.fn();
  const audit = vi.fn(async (worker: string) => {
    throw new MeanfieldError(`nothing of ${worker} is kept`);
  });
  const coordinator = { state: play.state, happen, refuse };
  const status = () => ({ run: 'r' });
  const onAsked = vi.fn();
  const desk = new OrderDesk(transport.control, key, 'r');
  const options = {
    ...{ transport, gate, key, desk, coordinator, run: 'r', model, setup, status, auditor: { audit }, onAsked },
  };
  const stop = answerQuestions(options as unknown as AnswerOptions);
  const join = async (body: object): Promise<Record<string, unknown>> => {
    const request = encodeMessage(body);
    const answer = await transport.control.ask(ASK.admission, request, 1000);
    return JSON.parse(new TextDecoder().decode(new RunVerifier(key.public).opened('join', answer, request)));
  };
  const owner = new OrderGiver(transport.control, key, 'r');
  const ask = (what: string, body: object) => owner.give(what, body, 1000);
  return { join, ask, happen, refuse, stop };
}

it('lets machines in under names that nobody has had', async () => {
  const { join, happen, refuse } = asking();
  const request = { protocol: PROTOCOL, version: '0.1.0', key: 'k', replicas: 2, host: 'box', memory: 1e9 };
  const names = async () => ((await join(request)).workers as { worker: string }[]).map((w) => w.worker);
  expect(await names()).toEqual(['box-1', 'box-2']);
  expect(await names()).toEqual(['box-3', 'box-4']);
  expect(happen).toHaveBeenLastCalledWith({ type: 'admitted', host: 'box', workers: ['box-3', 'box-4'] });
  expect(await join({ ...request, memory: 1 })).toMatchObject({ accepted: false });
  expect(refuse).toHaveBeenCalledWith('box', 'join', 'not-enough-memory', expect.stringContaining('GB'));
});

it('does what the operator asks, and says what is wrong with a question', async () => {
  const { ask, happen, stop } = asking();
  expect(await ask(ASK.status, {})).toEqual({ run: 'r' });
  expect(await ask(ASK.stop, {})).toEqual({});
  expect(happen).toHaveBeenLastCalledWith({ type: 'event', event: { type: 'stop' } });
  expect(await ask(ASK.evict, { worker: 'box-1', reason: 'odd' })).toEqual({ known: false });
  expect(happen).toHaveBeenLastCalledWith({ type: 'event', event: { type: 'evict', worker: 'box-1', reason: 'odd' } });
  await expect(ask(ASK.audit, { worker: 'box-1', windows: 4 })).rejects.toThrow('nothing of box-1 is kept');
  await expect(ask(ASK.decide, { id: 'x', decision: 'approved' })).rejects.toThrow('No machine x waits for approval');
  for (const [what, body] of [
    [ASK.evict, { worker: '../x', reason: 'odd' }],
    [ASK.evict, {}],
    [ASK.decide, { id: 'x', decision: 'maybe' }],
    [ASK.audit, { worker: 'box-1', windows: 0 }],
  ] as const)
    await expect(ask(what, body)).rejects.toThrow(/^Expected whom to/);
  stop();
  await expect(ask(ASK.status, {})).rejects.toThrow();
});
