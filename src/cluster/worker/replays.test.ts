import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Replays } from './replays.js';

it('takes each message once, in whatever order they come within the window', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ term: fc.nat(3), sequence: fc.nat(500) })), (messages) => {
      const replays = new Replays();
      const taken = new Set<string>();
      let newest = 0;
      for (const { term, sequence } of messages) {
        const name = `${term}/${sequence}`;
        expect(replays.take(term, sequence)).toBe(term >= newest && !taken.has(name));
        newest = Math.max(newest, term);
        taken.add(name);
      }
    }),
  );
});

it('takes nothing from before the window, nor from a coordinator that led before', () => {
  const replays = new Replays();
  for (let i = 0; i < 5000; i++) expect(replays.take(4, i)).toBe(true);
  for (const old of [0, 3000, 3975, 4500, 4999]) expect(replays.take(4, old)).toBe(false);
  expect(replays.take(3, 9000)).toBe(false);
  expect(replays.take(5, 0)).toBe(true);
  expect(replays.take(4, 5000)).toBe(false);
});
