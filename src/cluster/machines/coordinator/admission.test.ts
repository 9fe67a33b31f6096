import { expect, it } from 'vitest';
import { MeanfieldError } from '../../../base/errors.js';
import { Model } from '../../../model/model.js';
import type { RunSetup } from '../protocol/configuration.js';
import { encodeMessage, PROTOCOL } from '../protocol/wire.js';
import { type AdmissionOptions, admit } from './admission.js';
import { refOf } from './coordinator.test-support.js';

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
      admit: async (worker, key) => {
        admitted.push(`${worker} ${key}`);
        return `pass of ${key}`;
      },
      evict: async () => {},
    },
    configuration: () => refOf('run/configuration'),
    open: () => true,
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
  expect(admitted).toEqual(['node-7-example-1 k', 'node-7-example-2 k']);
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
  };
  expect(await asking({ gate }).ask(request)).toMatchObject({ code: 'not-admitted', reason: 'no more users' });
});
