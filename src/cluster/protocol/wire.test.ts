import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { admissionAnswer, admissionRequest } from './admission.js';
import { configurationSchema } from './configuration.js';
import { downEnvelope } from './down.js';
import { upMessage } from './up.js';
import { blobRef, decodeMessage, encodeMessage, ownerOf } from './wire.js';

const hash = 'a'.repeat(64);
const manifest = { key: 'w-1/c/3/0/list', bytes: 10, chunks: 1, hash };

it('reads what it wrote', () => {
  const report = {
    type: 'report',
    run: 'r',
    worker: 'w-1',
    incarnation: 2,
    round: 3,
    closed: 3,
    hash,
    gatherSeconds: 0.5,
  };
  expect(decodeMessage(encodeMessage(report), upMessage, 'a message')).toEqual(report);
  const envelope = {
    run: 'r',
    worker: 'w-1',
    incarnation: 0,
    term: 4,
    sequence: 5,
    message: { type: 'accepted', round: 3 },
  };
  expect(decodeMessage(encodeMessage(envelope), downEnvelope, 'a message')).toEqual(envelope);
});

it('keeps what is not a number apart from what is missing', () => {
  const contribution = {
    ...{
      type: 'contribution',
      run: 'r',
      worker: 'w-1',
      incarnation: 2,
      round: 3,
      tokens: 0,
      weight: 0,
      steps: 1,
      seconds: 1,
    },
    ...{ baseHash: hash, layoutHash: hash, length: 4, finite: false, norm: Number.NaN, loss: 1, gradientNorm: 2 },
    ...{ uploadSeconds: 0, manifest, traffic: { sent: 1, received: 2 } },
  };
  const read = decodeMessage(encodeMessage(contribution), upMessage, 'a message');
  expect(read).toMatchObject({ norm: Number.NaN, loss: 1 });
});

it.each([
  ['a key that leads elsewhere', { ...manifest, key: 'w-1/../run/s' }],
  ['a key of no owner', { ...manifest, key: 'list' }],
  ['a hash that is none', { ...manifest, hash: 'xyz' }],
  ['a negative size', { ...manifest, bytes: -1 }],
  ['more than it should hold', { ...manifest, more: 1 }],
])('refuses a reference with %s', (_, ref) => {
  expect(() => decodeMessage(encodeMessage(ref), blobRef, 'a blob')).toThrow(/^Expected a blob, got something else/);
});

it('knows whose a blob is', () => {
  expect(ownerOf(manifest)).toBe('w-1');
});

it('shows what a terminal would obey, in texts and in what it says of unknown keys', () => {
  const request = { protocol: 2, version: '1', key: 'k', replicas: 1, host: '\x1b[2J\nfake', memory: 1 };
  expect(decodeMessage(encodeMessage(request), admissionRequest, 'a request').host).toBe('\\x1b[2J\\nfake');
  const long = '\x1b'.repeat(2000);
  expect(decodeMessage(encodeMessage({ ...request, host: long }), admissionRequest, 'a request').host).toHaveLength(
    2000,
  );
  const odd = encodeMessage({ ...request, '\u009b5mblink\r': 1 });
  expect(() => decodeMessage(odd, admissionRequest, 'a request')).toThrow(/\\x9b5mblink\\r/);
});

it('answers any bytes with a MeanfieldError', () => {
  const schemas = [upMessage, downEnvelope, admissionRequest, admissionAnswer, configurationSchema] as z.ZodType[];
  const refuses = (bytes: Uint8Array) => {
    for (const schema of schemas) {
      try {
        decodeMessage(bytes, schema, 'a message');
      } catch (error) {
        expect(error).toBeInstanceOf(MeanfieldError);
        expect((error as Error).message.length).toBeLessThan(500);
        continue;
      }
      throw new Error('these bytes should have been refused');
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refuses), { numRuns: 200 });
  const almost = fc.record({
    type: fc.constantFrom('join', 'report', 'contribution', 'heartbeat', 'reduced'),
    run: fc.jsonValue(),
    worker: fc.jsonValue(),
    incarnation: fc.jsonValue(),
    message: fc.jsonValue(),
  });
  fc.assert(
    fc.property(almost, (value) => refuses(encodeMessage(value))),
    { numRuns: 200 },
  );
});
