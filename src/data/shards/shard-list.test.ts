import { expect, it } from 'vitest';
import { shardListSchema } from './shard-list.js';

const good = { width: 2, length: 3, files: [{ name: 'train-00000.bin', tokens: 3, sha256: 'a'.repeat(64) }] };
const file = good.files[0];

it.each([
  ['another width', { ...good, width: 3 }],
  ['a negative length', { ...good, length: -1 }],
  ['a path out of the folder', { ...good, files: [{ ...file, name: '../x-0.bin' }] }],
  ['an absolute path', { ...good, files: [{ ...file, name: '/x-0.bin' }] }],
  ['an empty file', { ...good, files: [{ ...file, tokens: 0 }] }],
  ['a wrong hash', { ...good, files: [{ ...file, sha256: 'xyz' }] }],
  ['something more', { ...good, more: 1 }],
])('refuses %s', (_, list) => {
  expect(shardListSchema.safeParse(good).success).toBe(true);
  expect(shardListSchema.safeParse(list).success).toBe(false);
});
