import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { windowsOf } from '../../data/sampling/windows.test-support.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { Model } from '../../model/model.js';
import { Causal } from '../../objectives/causal/causal.js';
import { Evaluator } from '../evaluation.js';
import type { FewBitOptions } from '../moments.js';
import { Replica } from '../replica.js';
import type { VectorName } from '../trained-vectors.js';
import { BoundaryFile } from './disk/boundary-file.js';
import { type OpenRaw, openRaw } from './disk/direct-file.js';
import { FileStore } from './disk/file-store.js';
import type { BoundarySizes } from './hidden-states.js';
import { PAGE, type Section } from './sections.js';
import { MemoryStore, type SectionStore } from './store.js';
import { StreamedReplica, storedSections } from './streamed-replica.js';

/** With so small a norm every step is clipped, so that a wrong one is seen. */
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 0.2 };
const engine = new NodeEngine();
const CONTEXT = 16;
const V = 61;

const folders: string[] = [];
const opened: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

type Store = (sections: readonly Section[]) => SectionStore | Promise<SectionStore>;
type Streamed = Pick<StreamedReplica, 'sections'> & { readonly store: SectionStore };

function modelOf(family: string, more: object = {}): Model {
  const sizes = { layers: 3, width: 32, heads: 4, keyValueHeads: family === 'gpt2' ? 4 : 2, context: CONTEXT };
  const made = Model.create(family, { ...sizes, vocabulary: V });
  return Model.fromConfig({ ...(made.config as object), ...more });
}

/** The same model trained whole and layer by layer, from the same parameters. */
async function both(
  model: Model,
  gradientAccumulation: number,
  open: Store = (sections) => new MemoryStore(sections),
  moments?: FewBitOptions,
) {
  const batch = 4;
  const objective = new Causal(model, CONTEXT);
  const common = { objective, engine, batch, gradientAccumulation, optimizer: { ...optimizer, moments } };
  const whole = await Replica.create({ ...common, optimizer });
  let store!: SectionStore;
  const replica = await StreamedReplica.create({
    ...common,
    // A table in several sections of unequal sizes.
    rows: 25,
    open: storedSections(common, async (sections) => (store = await open(sections))),
  });
  const streamed = Object.assign(replica, { store });
  opened.push(whole, streamed);
  const initial = model.layout.initialize(new Random(3));
  whole.vectors.parameters.set(initial);
  await eachEntry(streamed, 'parameters', model, (own, range) => own.set(initial.subarray(...range)));
  return { objective, whole, streamed };
}

async function eachEntry(
  streamed: Streamed,
  vector: 'parameters' | 'moment1' | 'moment2',
  { layout }: Model,
  use: (own: Float32Array, range: readonly [number, number]) => void,
): Promise<void> {
  const offsets = new Map(layout.entries.map(({ name, offset }) => [name, offset]));
  for (const [i, { entries }] of streamed.sections.entries()) {
    const all = await streamed.store.load(i, vector);
    for (const { name, offset, size, from } of entries) {
      const start = offsets.get(name)! + from;
      use(all.subarray(offset, offset + size), [start, start + size]);
    }
    await streamed.store.save(all, i, vector);
    streamed.store.release(all);
  }
}

/** Relative to the second, over all elements. */
async function distance(
  streamed: Streamed,
  vector: 'parameters' | 'moment1' | 'moment2',
  model: Model,
  whole: Float32Array,
): Promise<number> {
  let [difference, length] = [0, 0];
  await eachEntry(streamed, vector, model, (own, range) => {
    for (const [i, value] of whole.subarray(...range).entries()) {
      difference += (own[i]! - value) ** 2;
      length += value ** 2;
    }
  });
  return Math.sqrt(difference / length);
}

const windows = (random: Random, count: number) =>
  windowsOf(
    Int32Array.from({ length: count * (CONTEXT + 1) }, () => random.below(V)),
    CONTEXT,
  );

const onDisk =
  (resident: readonly VectorName[], moments?: FewBitOptions, range = 2 ** 18): Store =>
  async (sections) => {
    const folder = await mkdtemp(join(tmpdir(), 'offload-'));
    folders.push(folder);
    return FileStore.open({ folder, sections, resident, range, moments, buffers: 3 });
  };

describe('hidden states that are put by', () => {
  it.each([1, 3])('train the same to the bit: %i micro-batches', async (gradientAccumulation) => {
    const model = modelOf('gpt2');
    const objective = new Causal(model, CONTEXT);
    const folder = await mkdtemp(join(tmpdir(), 'offload-'));
    folders.push(folder);
    const path = join(folder, 'boundaries');
    const [kept, putBy] = await Promise.all(
      [undefined, (sizes: BoundarySizes) => BoundaryFile.open(path, sizes)].map(async (boundaries) => {
        const common = { objective, engine, batch: 4, gradientAccumulation, optimizer, rows: 25, boundaries };
        let store!: SectionStore;
        const open = storedSections(common, (sections) => (store = new MemoryStore(sections)));
        const replica = Object.assign(await StreamedReplica.create({ ...common, open }), { store });
        opened.push(replica);
        const initial = model.layout.initialize(new Random(3));
        await eachEntry(replica, 'parameters', model, (own, range) => own.set(initial.subarray(...range)));
        return replica;
      }),
    );
    const random = new Random(5);
    for (let step = 0; step < 3; step++) {
      const batches = Array.from({ length: gradientAccumulation }, () => windows(random, 4));
      const reports = [];
      for (const replica of [kept!, putBy!]) {
        const queue = [...batches];
        const { loss, weight } = await replica.computeGradient(() => queue.shift()!);
        const { gradientNorm } = await replica.applyGradient(step, 3e-3, replica.scaleOf(weight));
        reports.push({ loss, weight, gradientNorm });
      }
      expect(reports[1]).toEqual(reports[0]);
      // Between two steps their place serves others.
      const held = windows(new Random(9), 30);
      const losses = [await kept!.lossSum(held), await putBy!.lossSum(held)];
      expect(losses[1]!.sum).toBeCloseTo(losses[0]!.sum, 8);
      expect(losses[1]!.weight).toBe(losses[0]!.weight);
    }
    for (const [i] of kept!.sections.entries())
      expect(await putBy!.store.load(i, 'parameters')).toEqual(await kept!.store.load(i, 'parameters'));
    const { size } = await stat(path);
    // Five parts read a state of 4 × 16 tokens of 32 values, in whole pages.
    expect(size).toBe(4096 * (5 * gradientAccumulation * 2 + 1));
    await opened.splice(opened.indexOf(putBy!), 1)[0]!.dispose();
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('end a step where the disk does, and with what it says', async () => {
    const model = modelOf('gpt2');
    const folder = await mkdtemp(join(tmpdir(), 'offload-'));
    folders.push(folder);
    let left = 20;
    const full: OpenRaw = async (path, direct) => {
      const raw = await openRaw(path, direct);
      const write: typeof raw.write = async (...given) => {
        // What is no longer than a page tries where memory may lie.
        if (given[2] <= 4096 || left-- > 0) return raw.write(...given);
        throw Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write' });
      };
      return Object.assign(Object.create(raw) as typeof raw, {
        write,
        read: raw.read.bind(raw),
        truncate: raw.truncate.bind(raw),
        sync: raw.sync.bind(raw),
        close: raw.close.bind(raw),
      });
    };
    const common = { objective: new Causal(model, CONTEXT), engine, batch: 4, gradientAccumulation: 3, optimizer };
    const replica = await StreamedReplica.create({
      ...common,
      open: storedSections(common, (sections) => new MemoryStore(sections)),
      boundaries: (sizes) => BoundaryFile.open(join(folder, 'boundaries'), sizes, full),
    });
    opened.push(replica);
    const random = new Random(5);
    const steps = async () => {
      for (let step = 0; step < 3; step++) await replica.computeGradient(() => windows(random, 4));
    };
    await expect(steps()).rejects.toThrow(/boundaries.*(space|full)/is);
  });
});

describe('a model trained layer by layer', () => {
  it.each([
    ['gpt2', {}, 1, undefined],
    ['gpt2', {}, 3, onDisk([])],
    ['qwen3', { tie_word_embeddings: true }, 2, onDisk(['parameters', 'gradient'])],
    ['llama', {}, 2, onDisk([])],
    ['gemma2', {}, 1, undefined],
  ] as const)('learns what it learns whole: %s %j, %i micro-batches', async (family, more, accumulation, store) => {
    const model = modelOf(family, more);
    const { objective, whole, streamed } = await both(model, accumulation, store);
    const random = new Random(5);
    let clipped = 0;
    for (let step = 0; step < 20; step++) {
      const batches = Array.from({ length: accumulation }, () => windows(random, 4));
      const next = () => {
        const queue = [...batches];
        return () => queue.shift()!;
      };
      const [expected, got] = [await whole.computeGradient(next()), await streamed.computeGradient(next())];
      expect(got.weight).toBe(expected.weight);
      expect(Math.abs(got.loss / expected.loss - 1)).toBeLessThan(1e-5);
      const scale = whole.scaleOf(expected.weight);
      expect(streamed.scaleOf(got.weight)).toBe(scale);
      const { gradientNorm } = await whole.applyGradient(step, 3e-3, scale);
      const report = await streamed.applyGradient(step, 3e-3, scale);
      expect(Math.abs(report.gradientNorm / gradientNorm - 1)).toBeLessThan(1e-3);
      if (gradientNorm > optimizer.clip) clipped++;
    }
    expect(clipped).toBe(20);
    await streamed.flush();
    expect(await distance(streamed, 'parameters', model, whole.vectors.parameters)).toBeLessThan(1e-4);
    expect(await distance(streamed, 'moment1', model, whole.vectors.moment1)).toBeLessThan(1e-3);

    // More than go through a layer together, and a micro-batch that is not full.
    const held = windows(random, 4 * 4 * accumulation + 3);
    const evaluator = new Evaluator(objective, engine, 4);
    opened.push(evaluator);
    const [expected, got] = [await evaluator.lossSum(whole.vectors.parameters, held), await streamed.lossSum(held)];
    expect(got.weight).toBe(expected.weight);
    expect(Math.abs(got.sum / expected.sum - 1)).toBeLessThan(1e-5);
  });
});

describe.each(['bf16', 'int8'] as const)('a model trained layer by layer with moments in %s', (precision) => {
  it('learns about what it learns in float32, and the same to the bit wherever the moments lie', async () => {
    const model = modelOf('qwen3');
    const moments = { precision, seed: 5 };
    const range = PAGE;
    const parameters: Float32Array[] = [];
    for (const open of [
      (sections: readonly Section[]) => new MemoryStore(sections, moments, range),
      onDisk([], moments, range),
      onDisk(['parameters', 'gradient'], moments, range),
    ]) {
      const { whole, streamed } = await both(model, 2, open, moments);
      const random = new Random(5);
      for (let step = 0; step < 20; step++) {
        const batches = [windows(random, 4), windows(random, 4)];
        for (const one of [whole, streamed]) {
          const queue = [...batches];
          const { weight } = await one.computeGradient(() => queue.shift()!);
          await one.applyGradient(step, 3e-3, one.scaleOf(weight));
        }
      }
      await streamed.flush();
      const apart = await distance(streamed, 'parameters', model, whole.vectors.parameters);
      expect(apart).toBeGreaterThan(1e-5);
      expect(apart).toBeLessThan(0.1);
      const own = new Float32Array(model.layout.size);
      await eachEntry(streamed, 'parameters', model, (values, [start]) => own.set(values, start));
      parameters.push(own);
    }
    expect(parameters[1]).toEqual(parameters[0]);
    expect(parameters[2]).toEqual(parameters[0]);
  });
});
