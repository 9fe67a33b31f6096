import { readFile } from 'node:fs/promises';
import { Random } from '../src/base/random.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { loadModel } from '../src/hub/load-model.js';
import type { WeightPrecision } from '../src/inference/precision.js';
import { PRECISIONS } from '../src/inference/precision.js';
import { fusedSequences } from '../src/inference/sequence-decoder.js';
import { weightsIn } from '../src/inference/weights.js';
import { Model } from '../src/model/model.js';
import { findPreset } from '../src/model/presets.js';
import { mean, median, percentAbove, table } from './lib.js';

type Loaded = Pick<Awaited<ReturnType<typeof loadModel>>, 'model' | 'parameters'>;

/** A preset with random weights: as fast as one that learned something. */
export function randomModel(preset: string): Loaded {
  const { family, ...sizes } = findPreset(preset);
  const model = Model.create(family, { ...sizes, vocabulary: sizes.vocabulary! });
  return { model, parameters: model.layout.initialize(new Random(1337)) };
}

function open({ model, parameters }: Loaded, precision: WeightPrecision, threads: number) {
  const weights = weightsIn(precision, model, model.layout.views(parameters));
  return fusedSequences({ model, weights, engine: new NodeEngine(), compile: { threads } });
}

/** Tokens per second of several sequences that are written together, each precision in turn, `rounds` times. */
export async function writeTogether(
  loaded: Loaded,
  { counts, tokens, threads, rounds }: { counts: readonly number[]; tokens: number; threads: number; rounds: number },
): Promise<void> {
  const speeds = new Map<string, number[]>();
  const all = PRECISIONS.map((precision) => ({ precision, sequences: open(loaded, precision, threads) }));
  for (let round = 0; round < rounds; round++)
    for (const { precision, sequences } of all)
      for (const count of counts) {
        const held = Array.from({ length: count }, () => sequences.open());
        for (const sequence of held) await sequences.read(sequence, [1, 2, 3, 4, 5, 6, 7, 8]);
        const step = () => sequences.write(held.map((sequence, i) => ({ sequence, id: 100 + i })));
        await step();
        const start = performance.now();
        for (let i = 0; i < tokens; i++) await step();
        const key = `${precision} ${count}`;
        const speed = (1000 * count * tokens) / (performance.now() - start);
        speeds.set(key, [...(speeds.get(key) ?? []), speed]);
        for (const sequence of held) sequences.close(sequence);
      }
  for (const { sequences } of all) await sequences.dispose();
  console.log(`\n### Written together, tokens/s; ${threads} threads\n`);
  const speed = (precision: WeightPrecision, count: number) => median(speeds.get(`${precision} ${count}`)!);
  table(
    ['sequences', ...PRECISIONS, 'int8 × fp32', 'int4 × fp32'],
    counts.map((count) => [
      String(count),
      ...PRECISIONS.map((precision) => speed(precision, count).toFixed(1)),
      ...(['int8', 'int4'] as const).map((precision) => (speed(precision, count) / speed('fp32', count)).toFixed(2)),
    ]),
  );
}

/** Windows of a text, and tokens of each, whose loss is measured. */
const [WINDOWS, LENGTH] = [16, 512];

/** The loss of a text in each precision, by the steps that generation takes. */
export async function lossOf(folder: string, file: string, threads: number): Promise<void> {
  const { tokenizer, ...loaded } = await loadModel(folder);
  const ids = tokenizer.encode(await readFile(file, 'utf8'));
  const losses = new Map<WeightPrecision, number>();
  for (const precision of PRECISIONS) {
    const sequences = open(loaded, precision, threads);
    const sequence = sequences.open();
    const nats: number[] = [];
    for (let window = 0; window < WINDOWS; window++) {
      const from = window * Math.floor((ids.length - LENGTH - 1) / WINDOWS);
      sequences.cut(sequence, 0);
      while (sequences.lengthOf(sequence) < LENGTH) {
        const at = from + sequences.lengthOf(sequence);
        const end = from + LENGTH;
        nats.push(...(await sequences.tell(sequence, ids.slice(at, end), ids.slice(at + 1, end + 1))).nats);
      }
    }
    losses.set(precision, mean(nats));
    await sequences.dispose();
  }
  console.log(`\n### Loss of ${WINDOWS} windows of ${LENGTH} tokens\n`);
  const base = losses.get('fp32')!;
  table(
    ['weights', 'loss', 'above fp32'],
    [...losses].map(([precision, loss]) => [precision, loss.toFixed(4), percentAbove(loss, base)]),
  );
}
