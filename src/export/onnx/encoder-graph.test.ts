import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import cases from '../../../test/fixtures/encoders/cases.json' with { type: 'json' };
import { SafetensorsFile } from '../../base/files/safetensors.js';
import type { JsonObject } from '../../base/json.js';
import { Random } from '../../base/random.js';
import type { Engine } from '../../engine/engine.js';
import { createEngine } from '../../engine/node/create.js';
import { traceEmbedding } from '../../inference/embedding-program.js';
import type { Pooling } from '../../model/family-names.js';
import { Model } from '../../model/model.js';
import { poolings } from '../../model/pooling.js';
import { encoderGraph } from './encoder-graph.js';
import { singleWeight, withWeights } from './onnx-file.js';
import { onnxParts } from './onnx-parts.js';

const folder = new URL('../../../test/fixtures/encoders/', import.meta.url).pathname;

const int64 = (values: readonly number[], dims: readonly number[]) =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dims);

async function open(
  graph: ReturnType<typeof encoderGraph>,
  model: Model,
  views: Readonly<Record<string, Float32Array>>,
): Promise<InferenceSession> {
  const weights = new Map(model.layout.entries.map(({ name, shape }) => [name, singleWeight(shape, views[name]!)]));
  const [part] = onnxParts('model.onnx', withWeights(graph, weights), 2 ** 30);
  return InferenceSession.create(Buffer.concat([...part!.content()]), { intraOpNumThreads: 1 });
}

/** The inputs that a session has, of these texts' tokens; shorter ones are filled up behind. */
function feeds(session: InferenceSession, ids: number[][], mask: number[][], types: number[][]) {
  const dims = [ids.length, ids[0]!.length];
  const all = { input_ids: ids, attention_mask: mask, token_type_ids: types };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, rows]) =>
      session.inputNames.includes(name) ? [[name, int64(rows.flat(), dims)]] : [],
    ),
  );
}

const worst = (a: Float32Array, b: ArrayLike<number>) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

describe.each(Object.entries(cases))('%s of Python transformers', (name, config) => {
  it('has the same scores, with what fills texts up', async () => {
    const [B, T] = [3, 7];
    const model = Model.fromConfig(config as JsonObject);
    const file = await SafetensorsFile.open(`${folder}${name}.safetensors`);
    const rows = async (key: string) => {
      const bytes = await file.readBytes(key);
      const values = Array.from(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
      return Array.from({ length: B }, (_, b) => values.slice(b * T, (b + 1) * T));
    };
    const views: Record<string, Float32Array> = {};
    for (const { name: key } of model.layout.entries) views[key] = await file.readFloat32(`weights.${key}`);
    const session = await open(encoderGraph(model), model, views);
    const [ids, own] = [await rows('input_ids'), await rows('own')];
    const types = file.tensors.has('types') ? await rows('types') : ids.map((row) => row.map(() => 0));
    const { logits, start_logits, end_logits } = await session.run(feeds(session, ids, own, types));
    const expected = await file.readFloat32('scores');
    await file.close();
    await session.release();
    const scores = logits
      ? (logits.data as Float32Array)
      : Float32Array.from({ length: 2 * B * T }, (_, i) => Number([start_logits, end_logits][i % 2]!.data[i >> 1]));
    const each = scores.length / (B * T);
    const asked =
      model.taskHead!.task === 'sequence' ? scores : scores.map((x, i) => x * own.flat()[Math.floor(i / each)]!);
    expect(asked.length).toBe(expected.length);
    expect(worst(asked, expected)).toBeLessThan(1e-4);
  });
});

describe.each(Object.keys(poolings) as Pooling[])('vectors pooled by %s', (pooling) => {
  it('are those that embed makes, of any number of texts and tokens', async () => {
    const random = new Random(1);
    const sizes = { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 30 };
    const config = Model.create('bert', sizes).config as JsonObject;
    const model = Model.fromConfig({ ...config, architectures: ['BertModel'] });
    const views = model.layout.views(model.layout.initialize(random));
    const modules = { poolings: [pooling], after: ['normalize' as const], lowerCase: false, prompt: '' };
    const engine: Engine = await createEngine('cpu');
    const session = await open(encoderGraph(model, modules), model, views);
    const bare = await open(encoderGraph(model), model, views);
    for (const B of [1, 2, 3]) {
      for (const T of [1, 2, 5]) {
        const ids = Array.from({ length: B }, () => Array.from({ length: T }, () => random.below(30)));
        const own = ids.map((row, b) => row.map((_, t) => (t < Math.max(1, T - b) ? 1 : 0)));
        const given = [ids, own, ids.map((row) => row.map(() => 0))] as const;
        const { sentence_embedding, token_embeddings } = await session.run(feeds(session, ...given));
        const ours = await engine.compile(traceEmbedding(model, modules, { tokens: T, texts: B }, 'cpu'));
        const timeMajor = (rows: number[][]) =>
          Array.from({ length: T * B }, (_, i) => rows[i % B]![Math.floor(i / B)]!);
        const { vectors } = await ours.run({
          ...views,
          ids: BigInt64Array.from(timeMajor(ids), BigInt),
          own: Float32Array.from(timeMajor(own)),
        });
        await ours.dispose();
        expect(sentence_embedding!.dims).toEqual([B, 16]);
        expect(token_embeddings!.dims).toEqual([B, T, 16]);
        expect(worst(sentence_embedding!.data as Float32Array, vectors as Float32Array)).toBeLessThan(1e-5);
        const { last_hidden_state } = await bare.run(feeds(bare, ...given));
        expect(last_hidden_state!.data).toEqual(token_embeddings!.data);
      }
    }
    await session.release();
    await bare.release();
  });
});
