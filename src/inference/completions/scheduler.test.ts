import fc from 'fast-check';
import { describe, it } from 'vitest';
import { slotsFor } from '../row-cache.js';
import { CompletionScheduler } from './scheduler.js';

const CONTEXT = 512;

/** A request as a test makes it: when it comes, what it is, and whether it is given up after some time. */
const arrival = fc.record({
  at: fc.integer({ min: 0, max: 3000 }),
  client: fc.constantFrom('a', 'b', 'c'),
  prompt: fc.integer({ min: 1, max: 400 }),
  write: fc.integer({ min: 1, max: 100 }),
  leaves: fc.option(fc.integer({ min: 0, max: 2000 }), { nil: undefined, freq: 4 }),
});

const setting = fc.record({
  running: fc.integer({ min: 1, max: 6 }),
  waiting: fc.integer({ min: 0, max: 30 }),
  slots: fc.integer({ min: CONTEXT, max: 4 * CONTEXT }),
  msPerToken: fc.double({ min: 0.1, max: 5, noNaN: true }),
  msPerWrite: fc.double({ min: 1, max: 40, noNaN: true }),
});

/** As expect, for what is asked millions of times. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

describe('CompletionScheduler', () => {
  it('brings every request to its end or refuses it, within its bounds, under a virtual clock', () => {
    fc.assert(
      fc.property(setting, fc.array(arrival, { minLength: 1, maxLength: 30 }), (s, arrivals) => {
        const fits = (count: number, longest: number) => count * slotsFor(longest, CONTEXT) <= s.slots;
        const scheduler = new CompletionScheduler({ ...s, fits, pieceMs: 100, mostTokens: 128 });
        const due = arrivals.map((each, id) => ({ ...each, id })).sort((a, b) => a.at - b.at);
        const held = new Map<number, number>();
        const known = new Map<number, number>();
        const alive = new Set<number>();
        let now = 0;
        let refused = 0;
        let ended = 0;
        let pieces = 0;
        const leave = (id: number) => {
          scheduler.remove(id, now);
          alive.delete(id);
          ended++;
        };
        for (let steps = 0; ; steps++) {
          if (steps > 100_000) throw new Error('it does not come to an end');
          while (due.length > 0 && due[0]!.at <= now) {
            const { id, client, prompt } = due.shift()!;
            const full = scheduler.waiting >= s.waiting + Math.max(0, s.running - scheduler.running);
            const refusal = scheduler.add({ id, client, prompt, deadline: Number.POSITIVE_INFINITY }, now);
            must((refusal !== undefined) === full, 'only a full queue refuses');
            if (refusal) {
              must(refusal.retryMs >= 1000, 'it says when to ask again');
              refused++;
              continue;
            }
            alive.add(id);
            held.set(id, 0);
            known.set(id, prompt);
          }
          for (const [id, { at, leaves }] of arrivals.entries())
            if (alive.has(id) && leaves !== undefined && now >= at + leaves) leave(id);
          const step = scheduler.next(now);
          if (step === undefined) {
            must(alive.size === 0, 'it rests only when all have ended');
            if (due.length === 0) break;
            now = due[0]!.at;
            continue;
          }
          must(scheduler.running <= s.running, 'no more run than may');
          if (step.type === 'drop') {
            held.set(step.id, 0);
            scheduler.dropped(step.id);
            continue;
          }
          if (step.type === 'expire') throw new Error('nothing is to expire');
          const ids = step.type === 'read' ? [step.id] : step.ids;
          must(ids.length > 0, 'a step is for somebody');
          for (const id of ids) must(alive.has(id), 'who has left has no step');
          // Whether any lacks one token alone, and so waits while a piece is read.
          const writers = [...alive].filter((id) => held.get(id)! > 0 && known.get(id)! - held.get(id)! === 1);
          if (step.type === 'read') {
            pieces = writers.length > 0 ? pieces + 1 : 0;
            must(pieces <= 1, 'one piece at most lies between tokens of those that write');
            const { id } = step;
            const taken = Math.min(step.most, known.get(id)! - held.get(id)!);
            const ms = taken * s.msPerToken;
            now += ms;
            held.set(id, held.get(id)! + taken);
            scheduler.read(id, held.get(id)!, taken, ms);
          } else {
            pieces = 0;
            now += s.msPerWrite;
            for (const id of ids) {
              must(known.get(id)! - held.get(id)! === 1, 'who writes lacks one token');
              held.set(id, held.get(id)! + 1);
            }
            scheduler.wrote(ids);
          }
          const inCache = [...held].filter(([id, tokens]) => alive.has(id) && tokens > 0);
          const longest = Math.max(...inCache.map(([, tokens]) => tokens));
          must(inCache.length <= 1 || fits(inCache.length, longest), 'the cache has room');
          for (const id of ids) {
            if (held.get(id) !== known.get(id)) continue;
            if (known.get(id)! - arrivals[id]!.prompt >= arrivals[id]!.write) leave(id);
            else {
              known.set(id, known.get(id)! + 1);
              scheduler.chose(id);
            }
          }
        }
        must(ended + refused === arrivals.length, 'all end or are refused');
        must(scheduler.running + scheduler.waiting === 0, 'nothing is left');
      }),
      { numRuns: 2000 },
    );
  });
});
