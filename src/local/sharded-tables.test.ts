import { expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { setParameters } from '../training/streamed/parameter-pieces.js';
import type { Section } from '../training/streamed/sections.js';
import { ShardedSections } from '../training/streamed/sharded/sharded-sections.js';
import { MemoryStore } from '../training/streamed/store.js';
import { StreamedReplica, storedSections } from '../training/streamed/streamed-replica.js';
import { collectiveMemory, SharedCollective } from './shared-collective.js';

const CONTEXT = 8;
const V = 61;
const RANKS = 3;
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 0.2 };

/** Rows of a table in a section, at most: the last section has fewer, which no number of ranks divides. */
const ROWS = 25;

it.each([
  [true, 2],
  [true, 3],
  [false, 2],
  [false, 3],
] as const)('tables in several sections, embeddings tied: %s, by stage %i', async (tied, stage) => {
  const sizes = { layers: 2, width: 20, heads: 2, keyValueHeads: 2, context: CONTEXT, vocabulary: V };
  const { config } = Model.create('qwen3', sizes);
  const model = Model.fromConfig({ ...(config as object), tie_word_embeddings: tied });
  const objective = new Causal(model, CONTEXT);
  const means = { engine: new NodeEngine(), optimizer, compile: { threads: 1 } };
  const common = { ...means, objective, batch: 2, rows: ROWS };
  const initial = () => model.layout.initialPieces(new Random(3));

  let store!: MemoryStore;
  const joint = await StreamedReplica.create({
    ...{ ...common, gradientAccumulation: RANKS },
    open: storedSections(means, (sections) => (store = new MemoryStore(sections))),
  });
  await setParameters(store, joint.sections, initial());

  const memory = collectiveMemory(RANKS, Math.max(...joint.sections.map(({ size }) => size)));
  const ranks = await Promise.all(
    Array.from({ length: RANKS }, async (_, rank) => {
      const collective = new SharedCollective(rank, memory);
      let own!: ShardedSections;
      const open = (sections: readonly Section[]) =>
        (own = new ShardedSections(sections, { ...means, collective, stage }));
      const replica = await StreamedReplica.create({ ...common, gradientAccumulation: 1, open });
      for (const section of joint.sections.keys()) {
        const whole = await store.load(section, 'parameters');
        const { start, end } = own.place(section, 'parameters');
        own.shard(section, 'parameters').set(whole.subarray(start, end));
      }
      return { replica, own, collective };
    }),
  );
  // A table of three sections at least.
  expect(
    joint.sections.filter(({ entries }) => entries[0]?.shape[1] === 20 && entries.length === 1).length,
  ).toBeGreaterThan(tied ? 2 : 5);

  const random = new Random(5);
  for (let step = 0; step < 8; step++) {
    const tokens = () => Int32Array.from({ length: 2 * (CONTEXT + 1) }, () => random.below(V));
    const batches = Array.from({ length: RANKS }, () => windowsOf(tokens(), CONTEXT));
    const queue = [...batches];
    const expected = await joint.computeGradient(() => queue.shift()!);
    const got = await Promise.all(ranks.map(({ replica }, i) => replica.computeGradient(() => batches[i]!)));
    const weight = got.reduce((sum, one) => sum + one.weight, 0);
    expect(weight).toBe(expected.weight);
    const loss = got.reduce((sum, one) => sum + one.loss * one.weight, 0) / weight;
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
    const { gradientNorm } = await joint.applyGradient(step, 3e-3, joint.scaleOf(weight));
    for (const { replica } of ranks) {
      const report = await replica.applyGradient(step, 3e-3, replica.scaleOf(weight));
      expect(Math.abs(report.gradientNorm / gradientNorm - 1)).toBeLessThan(1e-5);
    }
  }
  await joint.flush();
  await Promise.all(ranks.map(({ replica }) => replica.flush()));
  for (const vector of ['parameters', 'moment1', 'moment2'] as const)
    for (const section of joint.sections.keys()) {
      const whole = await store.load(section, vector);
      for (const { own } of ranks) {
        const { start, end } = own.place(section, vector);
        const shard = own.shard(section, vector);
        expect(shard).toHaveLength(end - start);
        for (const [i, value] of shard.entries()) expect(Math.abs(value - whole[start + i]!)).toBeLessThan(2e-5);
      }
    }
  await joint.dispose();
  for (const { replica } of ranks) await replica.dispose();
});
