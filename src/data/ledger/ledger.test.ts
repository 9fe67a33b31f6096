import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commit, coverage, createLedger, lease, release } from './ledger.js';
import { countOf } from './ranges.js';
import { type Ledger, ledgerSchema } from './schema.js';

const start = createLedger({ samples: 10, seed: 7 });
const give = (ledger: Ledger, ...gifts: [worker: string, round: number, samples: number][]) =>
  gifts.reduce((at, [worker, round, samples]) => lease(at, worker, round, samples).ledger, ledger);

describe('a lease', () => {
  it('gives the next samples, of the next epoch too', () => {
    const first = lease(start, 'a', 1, 8);
    expect(first.ranges).toEqual([{ epoch: 0, start: 0, end: 8 }]);
    expect(lease(first.ledger, 'b', 1, 14).ranges).toEqual([
      { epoch: 0, start: 8, end: 10 },
      { epoch: 1, start: 0, end: 10 },
      { epoch: 2, start: 0, end: 2 },
    ]);
  });

  it('asked for again is the same, and larger where more is wanted', () => {
    const first = lease(start, 'a', 1, 4);
    const second = lease(give(first.ledger, ['b', 1, 2]), 'a', 1, 4);
    expect(second.ranges).toEqual(first.ranges);
    expect(lease(second.ledger, 'a', 1, 3)).toEqual(second);
    expect(lease(second.ledger, 'a', 1, 6).ranges).toEqual([
      { epoch: 0, start: 0, end: 4 },
      { epoch: 0, start: 6, end: 8 },
    ]);
    // Another round's is another lease: a worker that trains ahead has two.
    expect(lease(second.ledger, 'a', 2, 3).ranges).toEqual([{ epoch: 0, start: 6, end: 9 }]);
  });

  it('first gives what came back', () => {
    const ledger = release(give(start, ['a', 1, 4], ['b', 1, 4]), { worker: 'a' });
    expect(lease(ledger, 'c', 1, 6).ranges).toEqual([
      { epoch: 0, start: 0, end: 4 },
      { epoch: 0, start: 8, end: 10 },
    ]);
  });
});

describe('an end', () => {
  const ledger = give(start, ['a', 1, 2], ['b', 1, 2], ['a', 2, 2], ['b', 2, 2]);

  it('of a round counts for those who contributed; what the others had comes back', () => {
    const after = commit(ledger, 1, ['b', 'unknown']);
    expect(after.free).toEqual([{ start: 0, end: 2 }]);
    expect(after.leases.map(({ worker, round }) => [worker, round])).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    expect(commit(after, 1, ['b'])).toEqual(after);
  });

  it('of a round counts for as many samples as were trained on, the first of the lease', () => {
    expect(commit(ledger, 1, [{ worker: 'a', samples: 1 }, 'b']).free).toEqual([{ start: 1, end: 2 }]);
    expect(commit(ledger, 1, [{ worker: 'a', samples: 99 }, 'b']).free).toEqual([]);
    expect(commit(ledger, 1, [{ worker: 'a', samples: -1 }, 'b']).free).toEqual([{ start: 0, end: 2 }]);
  });

  it('of a worker, a round or both gives back theirs alone', () => {
    expect(release(ledger, { worker: 'a' }).free).toEqual([
      { start: 0, end: 2 },
      { start: 4, end: 6 },
    ]);
    expect(release(ledger, { round: 2 }).free).toEqual([{ start: 4, end: 8 }]);
    expect(release(ledger, { round: 2, worker: 'b' }).free).toEqual([{ start: 6, end: 8 }]);
    expect(release(ledger, { worker: 'c' })).toEqual(ledger);
  });
});

it('reports every epoch that is not done', () => {
  expect(coverage(start)).toEqual([{ epoch: 0, samples: 10, done: 0, leased: 0, returned: 0, untouched: 10 }]);
  const ledger = release(commit(give(start, ['a', 1, 6], ['b', 1, 6], ['c', 2, 3]), 1, ['a']), { round: 1 });
  expect(coverage(ledger)).toEqual([
    { epoch: 0, samples: 10, done: 6, leased: 0, returned: 4, untouched: 0 },
    { epoch: 1, samples: 10, done: 0, leased: 3, returned: 2, untouched: 5 },
  ]);
  const through = commit(give(start, ['a', 1, 20]), 1, ['a']);
  expect(coverage(through)).toEqual([{ epoch: 2, samples: 10, done: 0, leased: 0, returned: 0, untouched: 10 }]);
});

it('refuses an epoch of nothing', () => {
  expect(() => createLedger({ samples: 0, seed: 1 })).toThrow(/samples must be 1 or more, not 0/);
});

/** One event of a run's life; workers and rounds are few, so that they meet. */
const worker = fc.constantFrom('a', 'b', 'c', 'd');
const round = fc.integer({ min: 1, max: 4 });
const happening = fc.oneof(
  fc.record({ type: fc.constant('lease' as const), worker, round, samples: fc.integer({ min: 0, max: 30 }) }),
  fc.record({
    type: fc.constant('commit' as const),
    round,
    workers: fc.subarray(['a', 'b', 'c', 'd']),
    samples: fc.option(fc.nat({ max: 20 })),
  }),
  fc.record({ type: fc.constant('die' as const), worker }),
  fc.record({ type: fc.constant('abort' as const), round }),
  fc.record({ type: fc.constant('leave' as const), round, worker }),
);

it('covers each epoch exactly, whatever fails: each sample once, none lost', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(happening, { maxLength: 60 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 25 })),
      (samples, happenings, sizes) => {
        let ledger = createLedger({ samples, seed: 1 });
        const trained = new Map<string, number>();
        const train = (at: Ledger, of: number, workers: readonly string[], most = Number.POSITIVE_INFINITY) => {
          for (const who of workers) {
            // What the worker would read: asking for nothing more shows what it has.
            const read = lease(at, who, of, 0).ranges.flatMap(({ epoch, start, end }) =>
              Array.from({ length: end - start }, (_, i) => `${epoch} ${start + i}`),
            );
            for (const key of read.slice(0, most)) trained.set(key, (trained.get(key) ?? 0) + 1);
          }
        };
        const check = () => {
          expect(ledgerSchema.parse(JSON.parse(JSON.stringify(ledger)))).toEqual(ledger);
          for (const { epoch, done, leased, returned, untouched } of coverage(ledger)) {
            expect(done + leased + returned + untouched).toBe(samples);
            expect([...trained.keys()].filter((key) => key.startsWith(`${epoch} `))).toHaveLength(done);
          }
          expect(countOf(ledger.leases.flatMap(({ ranges }) => ranges))).toBe(
            coverage(ledger).reduce((sum, { leased }) => sum + leased, 0),
          );
        };
        for (const it of happenings) {
          if (it.type === 'lease') ({ ledger } = lease(ledger, it.worker, it.round, it.samples));
          else if (it.type === 'commit') {
            const { samples: most, workers } = it;
            train(ledger, it.round, workers, most ?? undefined);
            ledger = commit(
              ledger,
              it.round,
              most === null ? workers : workers.map((one) => ({ worker: one, samples: most })),
            );
          } else if (it.type === 'die') ledger = release(ledger, { worker: it.worker });
          else if (it.type === 'abort') ledger = release(ledger, { round: it.round });
          else ledger = release(ledger, { round: it.round, worker: it.worker });
          check();
        }
        // Then all goes well for two epochs more.
        const goal = Math.ceil(ledger.next / samples) + 2;
        for (let last = 100; coverage(ledger)[0]!.epoch < goal; last++) {
          ledger = release(lease(ledger, 'z', last, sizes.next().value).ledger, { round: last - 1 });
          train(ledger, last, ['z']);
          ledger = commit(release(ledger, { worker: 'a' }), last, ['z']);
          for (const who of ['b', 'c', 'd']) ledger = release(ledger, { worker: who });
        }
        check();
        for (let epoch = 0; epoch < goal; epoch++)
          for (let i = 0; i < samples; i++) expect(trained.get(`${epoch} ${i}`)).toBe(1);
        // Compact: nothing is left of what is done.
        expect(ledger.leases).toEqual([]);
        expect(ledger.free.length).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 150 },
  );
});
