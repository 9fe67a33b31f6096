import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RunKey, RunVerifier, UnsignedError } from './signed.js';

const key = RunKey.make();
const verifier = new RunVerifier(key.public);
const content = new TextEncoder().encode('{"type":"evict"}');

it('gives back what the key has signed, also after it was written down', () => {
  const again = RunKey.fromPem(key.toPem());
  expect(again.public).toBe(key.public);
  expect([key.isNew, again.isNew]).toEqual([true, false]);
  expect([...verifier.opened('down', again.signed('down', content))]).toEqual([...content]);
  expect([...verifier.opened('join', key.signed('join', content, content), content)]).toEqual([...content]);
  expect(verifier.opened('state', key.signed('state', new Uint8Array(1)))).toHaveLength(1);
});

it('believes no other key, purpose or question', () => {
  const other = RunKey.make();
  for (const [bytes, about] of [
    [content, undefined],
    [new Uint8Array(0), undefined],
    [new Uint8Array(64), undefined],
    [other.signed('join', content), undefined],
    [key.signed('down', content), undefined],
    [key.signed('join', content, Uint8Array.of(1)), undefined],
    [key.signed('join', content), Uint8Array.of(1)],
    [key.signed('join', Uint8Array.of(1, ...content)), Uint8Array.of(1)],
  ] as const)
    expect(() => verifier.opened('join', bytes, about)).toThrow(UnsignedError);
});

it('believes nothing that was changed in one bit', () => {
  const signed = key.signed('down', content);
  fc.assert(
    fc.property(fc.nat(signed.length * 8 - 1), (bit) => {
      // A Buffer's own slice would be the same memory: flipped twice, a bit is as it was.
      const changed = Uint8Array.from(signed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => verifier.opened('down', changed)).toThrow('does not count');
    }),
    { numRuns: 300 },
  );
});

it('says what is wrong with a key', () => {
  expect(() => new RunVerifier('')).toThrow('public key of the coordinator is none');
  expect(() => new RunVerifier('AAAA')).toThrow('Ask for a new invitation');
  expect(() => RunKey.fromPem('none')).toThrow();
});
