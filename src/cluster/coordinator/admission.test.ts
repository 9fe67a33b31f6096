import { expect, it, vi } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { Model } from '../../model/model.js';
import { NOT_APPROVED, WAITING } from '../protocol/admission.js';
import type { RunSetup } from '../protocol/configuration.js';
import { encodeMessage, PROTOCOL } from '../protocol/wire.js';
import { type AdmissionOptions, admit } from './admission.js';
import { refOf } from './coordinator.test-support.js';
import { Doorkeeper } from './doorkeeper.js';

const model = Model.create('gpt2', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 60 });
const setup = { outer: { method: 'average' }, gradAccum: 1, batchSize: 4, optimizer: {}, cluster: { format: 'fp32' } };
const request = { protocol: PROTOCOL, version: '0.1.0', key: 'k', replicas: 2, host: 'Node 7.example!', memory: 1e9 };

function asking(changes: Partial<AdmissionOptions> = {}) {
  const refused: string[] = [];
  const admitted: string[] = [];
  const options: AdmissionOptions = {
    run: 'r',
    model,
    setup: setup as unknown as RunSetup,
    gate: {
      asksPerson: (_, by) => by === 'asking',
      admit: async (workers, key) => {
        admitted.push(`${workers} ${key}`);
        return `pass of ${key}`;
      },
      evict: async () => {},
      forget: async () => {},
    },
    configuration: () => refOf('run/configuration'),
    open: () => true,
    doorkeeper: new Doorkeeper(() => {}),
    approvals: { isPatient: () => false, objection: async () => ({ code: WAITING, reason: 'id' }) },
    name: async (host, replicas) => Array.from({ length: replicas }, (_, i) => `${host}-${i + 1}`),
    onRefused: (host, code) => refused.push(`${host}: ${code}`),
    ...changes,
  };
  return { refused, admitted, ask: (body: object, by?: string) => admit(encodeMessage(body), options, by) };
}

it('gives each replica a name and the machine a pass', async () => {
  const { ask, admitted } = asking();
  expect(await ask(request)).toEqual({
    accepted: true,
    run: 'r',
    pass: 'pass of k',
    workers: ['node-7-example-1', 'node-7-example-2'].map((worker) => ({ worker, incarnation: 0 })),
    configuration: refOf('run/configuration'),
  });
  expect(admitted).toEqual(['node-7-example-1,node-7-example-2 k']);
  expect(await ask({ ...request, host: '!!!', replicas: 1 })).toMatchObject({ workers: [{ worker: 'worker-1' }] });
});

it('says why not', async () => {
  const { ask, refused } = asking();
  expect(await ask({ ...request, protocol: PROTOCOL + 1 })).toMatchObject({ code: 'wrong-version' });
  expect(await ask({ ...request, memory: 1 })).toMatchObject({ code: 'not-enough-memory' });
  expect(await ask({ ...request, replicas: 0 })).toMatchObject({ code: 'malformed' });
  expect(await asking({ open: () => false }).ask(request)).toMatchObject({ code: 'stopped' });
  expect(refused).toEqual([
    'Node 7.example!: wrong-version',
    'Node 7.example!: not-enough-memory',
    'a stranger: malformed',
  ]);
  const gate = {
    asksPerson: () => false,
    admit: () => Promise.reject(new MeanfieldError('no more users')),
    evict: async () => {},
    forget: async () => {},
  };
  expect(await asking({ gate }).ask(request)).toMatchObject({ code: 'not-admitted', reason: 'no more users' });
});

it('changes the gate once for a machine, and puts off those for whom there is no time', async () => {
  const { ask, admitted, refused } = asking();
  for (let i = 0; i < 90; i++) await ask({ ...request, replicas: 1 });
  expect(admitted).toHaveLength(90);
  expect(await ask(request)).toMatchObject({ accepted: false, code: 'busy' });
  expect(refused).toEqual([]);
  const many = asking();
  for (let i = 0; i < 3; i++)
    expect(await many.ask({ ...request, replicas: 256, memory: 1e12 })).toMatchObject({ accepted: true });
  expect(many.admitted).toHaveLength(3);
  expect(await many.ask({ ...request, replicas: 1 })).toMatchObject({ code: 'busy' });
});

it('tells people of so many refusals and no more', async () => {
  const { ask, refused } = asking();
  for (let i = 0; i < 90; i++)
    expect(await ask({ ...request, memory: 1 })).toMatchObject({ code: 'not-enough-memory' });
  expect(refused).toHaveLength(20);
  expect(await asking().ask({ ...request, host: 'x'.repeat(20_000) })).toMatchObject({ code: 'malformed' });
  expect(await asking({ name: async () => undefined }).ask(request)).toMatchObject({ code: 'full' });
});

it('has those wait whom a person must approve, without a name, a pass or a word to people', async () => {
  const name = vi.fn(async () => ['box-1']);
  const { ask, admitted, refused } = asking({ name });
  expect(await ask(request, 'asking')).toEqual({ accepted: false, code: WAITING, reason: 'id' });
  expect([name.mock.calls, admitted, refused]).toEqual([[], [], []]);
  expect(await ask(request, 'open')).toMatchObject({ accepted: true });
  const objection = async () => ({ code: NOT_APPROVED, reason: 'no' });
  const turned = asking({ approvals: { isPatient: () => false, objection } });
  expect(await turned.ask(request, 'asking')).toMatchObject({ accepted: false, code: NOT_APPROVED });
  expect(turned.refused).toEqual(['Node 7.example!: not-approved']);
  const approved = asking({ approvals: { isPatient: () => false, objection: async () => null } });
  expect(await approved.ask(request, 'asking')).toMatchObject({ accepted: true });
});

it('has time for who waits, and asks again not too soon, however many knock', async () => {
  const waiting = async () => ({ code: WAITING, reason: 'id' });
  const { ask } = asking({ approvals: { isPatient: (key) => key === 'known', objection: waiting } });
  for (let i = 0; i < 90; i++) await ask(request, 'asking');
  expect(await ask(request, 'asking')).toMatchObject({ code: 'busy' });
  expect(await ask({ ...request, key: 'known' }, 'asking')).toMatchObject({ code: WAITING });
});

it('lets who lies about its memory in as any other, and nothing follows from what it told', async () => {
  const { ask, admitted, refused } = asking();
  const honest = await ask({ ...request, replicas: 3, memory: 1e10 });
  const liar = await ask({ ...request, replicas: 3, memory: Number.MAX_SAFE_INTEGER });
  expect(liar).toEqual(honest);
  expect(admitted[1]).toBe(admitted[0]);
  expect(refused).toEqual([]);
  // What is no number of bytes, or more replicas than anybody may ask for, is no request.
  for (const lie of [{ memory: -1 }, { memory: 1e300 }, { memory: '1e9' }, { memory: null }, { replicas: 257 }])
    expect(await ask({ ...request, ...lie })).toMatchObject({ accepted: false, code: 'malformed' });
});
