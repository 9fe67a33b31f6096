import { expect, it } from 'vitest';
import { createLedger, lease, release } from './ledger.js';
import { ledgerSchema } from './schema.js';

const ledger = release(
  lease(lease(lease(createLedger({ samples: 10, seed: 7 }), 'a', 1, 4).ledger, 'b', 1, 4).ledger, 'c', 1, 4).ledger,
  { worker: 'b' },
);
const [first] = ledger.leases;

it('takes what the ledger writes', () => {
  expect(ledgerSchema.parse(JSON.parse(JSON.stringify(ledger)))).toEqual(ledger);
});

it.each([
  ['another version', { version: 2 }, /version/],
  ['no samples', { samples: 0 }, /samples/],
  ['a fraction', { next: 12.5 }, /next/],
  ['what is not safe to count with', { next: 2 ** 53 }, /next/],
  ['an unknown field', { more: 1 }, /more/],
  ['an empty range', { free: [{ start: 4, end: 4 }] }, /an empty range/],
  ['a range backwards', { free: [{ start: 6, end: 4 }] }, /an empty range/],
  ['a lease of nothing', { leases: [{ ...first, ranges: [] }] }, /leases/],
  ['places given out twice', { free: [{ start: 3, end: 6 }] }, /place 3 is given out twice/],
  ['places not given out yet', { next: 11 }, /places from 11 on are given out already/],
  [
    'free places in disorder',
    {
      free: [
        { start: 6, end: 8 },
        { start: 4, end: 6 },
      ],
    },
    /free places are not in order/,
  ],
  [
    'free places in pieces',
    {
      free: [
        { start: 4, end: 6 },
        { start: 6, end: 8 },
      ],
    },
    /free places are not in order/,
  ],
  ['two leases', { leases: [first, { ...first, ranges: [{ start: 8, end: 9 }] }] }, /two leases in one round/],
])('refuses %s', (_name, change, message) => {
  const result = ledgerSchema.safeParse({ ...ledger, ...change });
  expect(result.success).toBe(false);
  expect(result.error?.message).toMatch(message);
});
