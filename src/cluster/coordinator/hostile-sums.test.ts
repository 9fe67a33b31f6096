import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { CommittedModel } from '../../averaging/committed.js';
import { createCodec } from '../../averaging/formats/index.js';
import type { Fragment } from '../../averaging/fragments.js';
import { createEngine } from '../../engine/node/create.js';
import type { Merge } from '../../rounds/index.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { ModelHandle } from '../model-thread/commands.js';
import { Exchange } from '../model-thread/exchange.js';
import type { RunSetup } from '../protocol/configuration.js';
import { putParts } from '../protocol/manifest.js';
import { PartLists, reduceShard } from '../reduce-shard.js';
import { Keeper } from './keeper.js';
import { RoundMerge } from './merge-round.js';

/** `HOSTILE_SUMS=10000` tries as many, in about a minute. */
const RUNS = Number(process.env.HOSTILE_SUMS ?? 150);
const LENGTH = 2;
const shards = [0, 1, 2, 3].map((i) => ({ start: LENGTH * i, end: LENGTH * (i + 1) }));
const fragments: Fragment[] = [{ start: 0, end: 4 * LENGTH, shards }];
const engine = await createEngine('cpu');
const codec = createCodec(engine, 'fp32');
const sizes = [shards.map(() => codec.encodedBytes(LENGTH))];
const setup = {
  outer: { method: 'average', learningRate: 1, momentum: 0 },
  averageMoments: false,
  optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, clip: 1 },
  cluster: { format: 'fp32', momentsFormat: 'bf16', merge: 'mean', fragments: 1, mixing: 0.5 },
} as unknown as RunSetup;
const committed = new CommittedModel(4 * LENGTH, fragments, { momentum: false, moments: false });
const exchange = new Exchange(engine, setup, fragments, committed);
afterAll(() => exchange.dispose());
const thread = {
  ask: async (name: string, input: never) => {
    if (name === 'reduce') return exchange.reduce(input);
    if (name === 'apply') await exchange.apply(input);
    return name === 'apply' ? { hash: committed.hash, parts: (input as { parts: unknown }).parts } : 0;
  },
  close: async () => {},
} as unknown as ModelHandle;

/** What a hostile reducer does with a shard that is its to sum. */
const act = fc.oneof(
  fc.record({ type: fc.constant('values' as const), times: fc.double({ noNaN: true, min: -1e6, max: 1e6 }) }),
  fc.record({ type: fc.constant('squares' as const), times: fc.double({ noNaN: true, min: 0, max: 1e6 }) }),
  fc.record({ type: fc.constantFrom('honest' as const, 'garbage' as const, 'accuse' as const, 'gone' as const) }),
);
const vector = fc.array(fc.float({ noNaN: true, min: -1, max: 1 }), { minLength: 8, maxLength: 8 });
/** A contribution, and what its sender tells of its norm: the truth, or a part of it. */
const contributionOf = fc.record({ vector, told: fc.constantFrom(1, 1, 1, 0.5) });

const normOf = (x: readonly number[]) => Math.sqrt(x.reduce((sum, one) => sum + one * one, 0));

it(
  'commits nothing larger than what contributions allow, and with double sums nothing but their sum',
  async () => {
    let round = 0;
    const game = fc.asyncProperty(
      fc.tuple(vector, vector, contributionOf),
      fc.array(act, { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      async ([first, second, liar], acts, double) => {
        round++;
        committed.load([new Float32Array(4 * LENGTH)]);
        const { blobs } = new MemoryNetwork().connect().transport;
        const keeper = await Keeper.start(thread, undefined as never, 1, 4 * LENGTH, sizes);
        const all = { a: first, b: second, x: liar.vector };
        const contributions: Merge['contributions'][number][] = [];
        const manifests = new Map();
        for (const [worker, values] of Object.entries(all)) {
          const parts = await Promise.all(
            shards.map(({ start, end }) => codec.encode(Float32Array.from(values.slice(start, end)))),
          );
          const manifest = await putParts(blobs, `${worker}/c/${round}/0`, parts);
          manifests.set(worker, manifest);
          const norm = normOf(values) * (worker === 'x' ? liar.told : 1);
          contributions.push({ worker, incarnation: 0, contentHash: manifest.hash, weight: 64, norm } as never);
        }
        const evicted: string[] = [];
        const told = new Set<string>();
        const merging: RoundMerge = new RoundMerge({
          merge: { type: 'merge', round, base: { round: 0, hash: '' }, contributions, totalWeight: 192 },
          ...{ fragment: 0, shards: 4, manifests, keeper, blobs, patience: 10_000, every: 5, check: null, double },
          exchange: setup.cluster,
          reducers: () => ['a', 'b', 'x'].filter((worker) => !evicted.includes(worker)),
          distrust: (worker) => void evicted.push(worker),
          onUseless: () => {},
          send: (worker, message) => {
            for (const shard of message.shards) {
              const key = `${worker} ${shard}`;
              if (told.has(key)) continue;
              told.add(key);
              void reduce(worker, message, shard, worker === 'x' ? acts[shard]! : { type: 'honest' });
            }
          },
        });
        const reduce = async (
          worker: string,
          message: Parameters<typeof reduceShard>[1] & { attempt: string },
          shard: number,
          how: (typeof acts)[number] | { type: 'honest' },
        ) => {
          const from = { run: 'r', worker, incarnation: 0, round, attempt: message.attempt, shard };
          try {
            const sum = await reduceShard({ blobs, thread, sizes, lists: new PartLists() }, message, shard);
            const body = sum.merged.slice();
            if (how.type === 'values') {
              const values = await codec.decode(body, LENGTH);
              body.set(await codec.encode(values.map((value) => value * how.times + how.times)));
            }
            if (how.type === 'garbage') body.fill(255);
            const squares = how.type === 'squares' ? sum.squares.map((value) => value * how.times) : [...sum.squares];
            const result = await blobs.put(`${worker}/r/${round}/${shard}`, body);
            if (how.type === 'gone') await blobs.delete(result.key);
            if (how.type === 'accuse')
              merging.hear({ type: 'reduce-failed', ...from, culprit: 'a', reason: 'it is damaged' });
            else merging.hear({ type: 'reduced', ...from, result, squares });
          } catch (error) {
            merging.hear({ type: 'reduce-failed', ...from, culprit: 'x', reason: String(error) });
          }
        };
        const before = [...committed.vectors.parameters];
        const outcome = await merging.run().catch((error: { workers: string[] }) => error);
        const after = [...committed.vectors.parameters];
        expect(evicted.every((worker) => worker === 'x')).toBe(true);
        if ('workers' in outcome) {
          // Only who told less than its norm can be out.
          expect(outcome.workers).toEqual(['x']);
          expect(liar.told).toBeLessThan(1);
          expect(after).toEqual(before);
          return;
        }
        const moved = before.map((value, i) => value - after[i]!);
        const right = first.map((value, i) => (value + second[i]! + liar.vector[i]!) / 3);
        const allowed = contributions.reduce((sum, { norm }) => sum + norm / 3, 0);
        expect(normOf(moved)).toBeLessThanOrEqual(1.011 * allowed + 1e-5 + 1e-6 * normOf(before));
        if (double) for (const [i, value] of moved.entries()) expect(value).toBeCloseTo(right[i]!, 3);
      },
    );
    await fc.assert(game, { numRuns: RUNS });
  },
  60_000 + 20 * RUNS,
);
