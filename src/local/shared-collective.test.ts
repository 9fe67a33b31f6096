import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { shardsOfSection } from '../training/streamed/sharded/sharded-sections.js';
import { collectiveMemory, failCollective, SharedCollective } from './shared-collective.js';

const SIZES = [37, 5, 0, 64, 1];

/** What ranks do together at random, each at its own pace, and what each has of it. */
async function together(ranks: number, seed: number, operations = 30) {
  const memory = collectiveMemory(ranks, Math.max(...SIZES));
  const work = async (rank: number) => {
    const collective = new SharedCollective(rank, memory);
    const [common, own, delay] = [
      new Random(seed, 'common'),
      new Random(seed, `${rank}`),
      new Random(seed, `late ${rank}`),
    ];
    const results: unknown[] = [];
    let ahead: Promise<void> | undefined;
    for (let i = 0; i < operations; i++) {
      if (delay.below(3) === 0) await wait(delay.below(4));
      const size = SIZES[common.below(SIZES.length)]!;
      const shards = shardsOfSection({ size }, ranks);
      const { start, end } = shards[rank]!;
      const kind = common.below(4);
      if (kind === 0) {
        const whole = new Float32Array(size);
        const mine = Float32Array.from({ length: end - start }, (_, k) => 1000 * i + start + k);
        const gathered = collective.gather(mine, shards, whole);
        results.push(whole);
        // Now and then it is only needed after the next operation has begun.
        if (common.below(2) === 0) await gathered;
        else ahead = gathered;
      } else if (kind === 1) {
        const values = Float32Array.from({ length: size }, () => own.normal());
        const sum = new Float32Array(end - start).fill(common.below(2));
        await collective.reduce(values, shards, sum);
        results.push([values, sum]);
      } else if (kind === 2) results.push(await collective.sum([rank, own.uniform(), i]));
      else await ahead;
    }
    await ahead;
    return results;
  };
  return Promise.all(Array.from({ length: ranks }, (_, rank) => work(rank)));
}

describe('operations of the threads of a process', () => {
  it.each([1, 2, 3, 4, 7])('give %i ranks what they are to, at whatever pace each comes to them', async (ranks) => {
    for (let seed = 0; seed < 3; seed++) {
      const all = await together(ranks, seed);
      let [gathers, reduces, sums] = [0, 0, 0];
      const common = new Random(seed, 'common');
      let place = 0;
      for (let i = 0; i < 30; i++) {
        const size = SIZES[common.below(SIZES.length)]!;
        const kind = common.below(4);
        if (kind === 3) continue;
        const results = all.map((of) => of[place]!);
        place++;
        if (kind === 0) {
          common.below(2);
          for (const whole of results)
            expect(whole).toEqual(Float32Array.from({ length: size }, (_, k) => 1000 * i + k));
          gathers++;
        } else if (kind === 1) {
          const before = common.below(2);
          const of = results as (readonly [Float32Array, Float32Array])[];
          const joined = of.flatMap(([, sum]) => [...sum]);
          expect(joined).toHaveLength(size);
          for (const [k, value] of joined.entries()) {
            const expected = of.reduce((sum, [values]) => sum + values[k]!, before);
            expect(Math.abs(value - expected)).toBeLessThan(1e-5);
          }
          reduces++;
        } else {
          // The same bits on all.
          for (const sum of results) expect(sum).toEqual(results[0]);
          expect((results[0] as number[])[0]).toBe((ranks * (ranks - 1)) / 2);
          expect((results[0] as number[])[2]).toBe(ranks * i);
          sums++;
        }
      }
      expect(Math.min(gathers, reduces, sums)).toBeGreaterThan(0);
    }
  });

  it('sum in an order of their own, so that the same values give the same bits', async () => {
    const [once, again] = [await together(4, 9), await together(4, 9)];
    expect(again).toEqual(once);
  });

  it.each(['gather', 'reduce', 'sum'] as const)('end for all with the error of one that has died: %s', async (kind) => {
    const memory = collectiveMemory(3, 12);
    const shards = shardsOfSection({ size: 12 }, 3);
    const begin = (rank: number) => {
      const collective = new SharedCollective(rank, memory);
      const whole = new Float32Array(12);
      if (kind === 'gather') return collective.gather(new Float32Array(4), shards, whole);
      if (kind === 'reduce') return collective.reduce(whole, shards, new Float32Array(4));
      return collective.sum([1]);
    };
    // The third never comes.
    const waiting = [0, 1].map((rank) => expect(begin(rank)).rejects.toThrow("A replica's thread ended with code 7."));
    await wait(5);
    failCollective(memory, "A replica's thread ended with code 7.");
    failCollective(memory, 'Another that came later.');
    await Promise.all(waiting);
    // Nor does it wait when it comes after all.
    await expect(begin(2)).rejects.toThrow('code 7');
  });

  it('end whenever one dies, wherever the others are', async () => {
    const random = new Random(4);
    for (let i = 0; i < 40; i++) {
      const memory = collectiveMemory(3, 12);
      const shards = shardsOfSection({ size: 12 }, 3);
      const ranks = [0, 1, 2].map(async (rank) => {
        const collective = new SharedCollective(rank, memory);
        for (;;) {
          if (random.below(4) === 0) await wait(0);
          await collective.reduce(new Float32Array(12), shards, new Float32Array(4));
          await collective.gather(new Float32Array(4), shards, new Float32Array(12));
          await collective.sum([1]);
        }
      });
      const ended = Promise.allSettled(ranks);
      await wait(random.below(8));
      failCollective(memory, 'gone');
      for (const one of await ended) expect(one).toMatchObject({ status: 'rejected', reason: { message: 'gone' } });
    }
  });
});
