import { expect, it } from 'vitest';
import { buffersOf } from './messages.js';

it('finds every vector of a message, however deep', () => {
  const [a, b] = [new Float32Array(1), new Float32Array(2)];
  const message = { id: 1, output: { parts: [undefined, a], hash: 'x', inner: { b } }, nothing: null };
  expect(buffersOf(message)).toEqual([a.buffer, b.buffer]);
  expect(buffersOf([1, 'two', null])).toEqual([]);
});

it('moves bytes only where they have a buffer to themselves', () => {
  const whole = new Uint8Array(3);
  expect(buffersOf({ parts: [whole, new Uint8Array(8).subarray(2, 4)] })).toEqual([whole.buffer]);
});
