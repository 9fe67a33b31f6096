import fc from 'fast-check';
import { expect, it } from 'vitest';
import { indexOfBytes, joinBytes } from './bytes.js';

const few = fc.uint8Array({ max: 2, maxLength: 12 });

it('joins bytes as Node does', () => {
  fc.assert(
    fc.property(fc.array(few), (parts) => {
      expect(joinBytes(parts)).toEqual(new Uint8Array(Buffer.concat(parts)));
    }),
  );
});

it('finds bytes where Node does', () => {
  const some = fc.uint8Array({ max: 2, minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(few, some, fc.nat(12), (bytes, wanted, from) => {
      expect(indexOfBytes(bytes, wanted, from)).toBe(Buffer.from(bytes).indexOf(wanted, from));
    }),
  );
});
