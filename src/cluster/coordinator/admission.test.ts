import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { Model } from '../../model/model.js';
import type { RunSetup } from '../protocol/configuration.js';
import { encodeMessage, PROTOCOL } from '../protocol/wire.js';
import { type AdmissionOptions, admit } from './admission.js';
import { refOf } from './coordinator.test-support.js';
import { Doorkeeper } from './doorkeeper.js';

const model = Model.create('gpt2', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 60 });
const setup = { outer: { method: 'average' }, gradAccum: 1, batchSize: 4, cluster: { format: 'fp32' } };
const request = { protocol: PROTOCOL, version: '0.1.0', key: 'k', replicas: 2, host: 'Node 7.example!', memory: 1e9 };

function asking(changes: Partial<AdmissionOptions> = {}) {
  const refused: string[] = [];
  const admitted: string[] = [];
  const options: AdmissionOptions = {
    run: 'r',
    model,
    setup: setup as unknown as RunSetup,
    gate: {
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
    name: async (host, replicas) => Array.from({ length: replicas }, (_, i) => `${host}-${i + 1}`),
    onRefused: (host, code) => refused.push(`${host}: ${code}`),
    ...changes,
  };
  return { refused, admitted, ask: (body: object) => admit(encodeMessage(body), options) };
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
    admit: () => Promise.reject(new MeanfieldError('no more users')),
    evict: async () => {},
    forget: async () => {},
  };
  expect(await asking({ gate }).ask(request)).toMatchObject({ code: 'not-admitted', reason: 'no more users' });
});

it('changes the gate once for a machine, and puts off those for whom there is no time', async () => {
  const { ask, admitted, refused } = asking();
  for (let i = 0; i < 120; i++) await ask({ ...request, replicas: 1 });
  expect(admitted).toHaveLength(120);
  expect(await ask(request)).toMatchObject({ accepted: false, code: 'busy' });
  expect(refused).toEqual([]);
  const many = asking();
  for (let i = 0; i < 4; i++)
    expect(await many.ask({ ...request, replicas: 256, memory: 1e12 })).toMatchObject({ accepted: true });
  expect(many.admitted).toHaveLength(4);
  expect(await many.ask({ ...request, replicas: 1 })).toMatchObject({ code: 'busy' });
});

it('tells people of so many refusals and no more', async () => {
  const { ask, refused } = asking();
  for (let i = 0; i < 100; i++)
    expect(await ask({ ...request, memory: 1 })).toMatchObject({ code: 'not-enough-memory' });
  expect(refused).toHaveLength(20);
  expect(await asking().ask({ ...request, host: 'x'.repeat(20_000) })).toMatchObject({ code: 'malformed' });
  expect(await asking({ name: async () => undefined }).ask(request)).toMatchObject({ code: 'full' });
});
