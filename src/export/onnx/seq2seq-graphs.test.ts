import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import greedy from '../../../test/fixtures/seq2seq/greedy.json' with { type: 'json' };
import { SafetensorsFile } from '../../base/files/safetensors.js';
import { largest } from '../../inference/decoder.test-support.js';
import { Model } from '../../model/model.js';
import { mergeBranches } from './merge-branches.js';
import { type OnnxFile, singleWeight, withWeights } from './onnx-file.js';
import { onnxParts } from './onnx-parts.js';
import { firstGraph, furtherGraph, sourceGraph } from './seq2seq-graphs.js';

const [B, S, T, MOST] = [3, 11, 9, 40];
const int64 = (values: readonly number[], dims: readonly number[]) =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
const choice = (cached: boolean) => new Tensor('bool', Uint8Array.of(cached ? 1 : 0), [1]);
const open = (file: OnnxFile) =>
  InferenceSession.create(Buffer.concat([...onnxParts('model.onnx', file, 2 ** 30)[0]!.content()]), {
    intraOpNumThreads: 1,
  });

type Outputs = Readonly<Record<string, Tensor>>;

describe.each(['t5', 't5-untied', 't5-layers', 't5-distances'] as const)('%s', (name) => {
  const model = Model.fromConfig(greedy[name].config);
  const { layers, vocabulary: V } = model.dimensions;
  let fixture: SafetensorsFile;
  let encoder: InferenceSession;
  let decoder: InferenceSession;

  beforeAll(async () => {
    fixture = await SafetensorsFile.open(
      new URL(`../../../test/fixtures/seq2seq/${name}.safetensors`, import.meta.url).pathname,
    );
    const weights = new Map<string, ReturnType<typeof singleWeight>>();
    for (const { name: key, shape } of model.layout.entries)
      weights.set(key, singleWeight(shape, await fixture.readFloat32(`weights.${key}`)));
    encoder = await open(withWeights(sourceGraph(model), weights));
    const [first, further] = [firstGraph(model), furtherGraph(model)].map((graph) => withWeights(graph, weights));
    decoder = await open(mergeBranches(first!, further!));
  });
  afterAll(async () => {
    await fixture.close();
    await encoder.release();
    await decoder.release();
  });

  const fed = async (key: string) => {
    const bytes = await fixture.readBytes(key);
    return [...new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
  };
  /** What a cache has before anything is there, as transformers.js makes it of the axes' names. */
  const empty = (batch: number): Outputs =>
    Object.fromEntries(
      decoder.inputMetadata
        .filter(({ name: key }) => key.startsWith('past_key_values'))
        .map((one) => {
          const shape = (one.isTensor ? one.shape : []).map((d) => (d === 'batch_size' ? batch : Number(d) || 0));
          return [one.name, new Tensor('float32', new Float32Array(0), shape)];
        }),
    );
  /** As transformers.js keeps it: what is seen of the source is that of the first run. */
  const next = (outputs: Outputs, before?: Outputs): Outputs =>
    Object.fromEntries(
      Object.entries(outputs).flatMap(([key, value]) => {
        if (!key.startsWith('present')) return [];
        const own = key.replace('present', 'past_key_values');
        return [[own, before && key.includes('encoder') ? before[own]! : value]];
      }),
    );

  it('names its axes as transformers.js reads them', () => {
    const shapes = Object.fromEntries(
      [...decoder.inputMetadata, ...decoder.outputMetadata].map((one) => [one.name, one.isTensor && one.shape]),
    );
    expect(shapes).toMatchObject({
      input_ids: ['batch_size', 'decoder_sequence_length'],
      encoder_attention_mask: ['batch_size', 'encoder_sequence_length'],
      encoder_hidden_states: ['batch_size', 'encoder_sequence_length', 8],
      use_cache_branch: [1],
      'past_key_values.0.decoder.key': ['batch_size', 2, 'past_decoder_sequence_length', 3],
      [`past_key_values.${layers - 1}.encoder.value`]: ['batch_size', 2, 'encoder_sequence_length', 3],
      logits: ['batch_size', 'decoder_sequence_length', V],
    });
  });

  it("has PyTorch's scores of sources that are filled up, at once and by the cache", async () => {
    const own = int64(await fed('own'), [B, S]);
    const ids = await fed('decoder_ids');
    const sources = { input_ids: int64(await fed('input_ids'), [B, S]), attention_mask: own };
    const { last_hidden_state: hidden } = (await encoder.run(sources)) as { last_hidden_state: Tensor };
    const beside = { encoder_attention_mask: own, encoder_hidden_states: hidden };
    const expected = await fixture.readFloat32('logits');
    const cut = (from: number, to: number) =>
      int64(Array.from({ length: B }, (_, b) => ids.slice(b * T + from, b * T + to)).flat(), [B, to - from]);
    for (const steps of [[T], [1, 1, 3, 4], [4, 1, 1, 1, 1, 1]]) {
      let [at, cache, cached] = [0, empty(B), false];
      for (const step of steps) {
        const given = { ...beside, ...cache, input_ids: cut(at, at + step), use_cache_branch: choice(cached) };
        const outputs = (await decoder.run(given)) as Outputs;
        const scores = outputs.logits!.data as Float32Array;
        for (let b = 0; b < B; b++)
          for (let i = 0; i < step * V; i++)
            expect(Math.abs(scores[b * step * V + i]! - expected[(b * T + at) * V + i]!)).toBeLessThan(2e-4);
        cache = next(outputs, cached ? cache : undefined);
        [at, cached] = [at + step, true];
      }
    }
  });

  it("writes Python's greedy tokens", async () => {
    for (const { source, target } of greedy[name].rows) {
      const own = int64(
        source.map(() => 1),
        [1, source.length],
      );
      const { last_hidden_state: hidden } = (await encoder.run({
        input_ids: int64(source, [1, source.length]),
        attention_mask: own,
      })) as { last_hidden_state: Tensor };
      const written: number[] = [];
      let cache: Outputs = empty(1);
      while (written.length < MOST && written.at(-1) !== 1) {
        const cached = written.length > 0;
        const outputs = (await decoder.run({
          ...{ encoder_attention_mask: own, encoder_hidden_states: hidden, ...cache },
          ...{ input_ids: int64([written.at(-1) ?? 0], [1, 1]), use_cache_branch: choice(cached) },
        })) as Outputs;
        written.push(largest(outputs.logits!.data as Float32Array));
        cache = next(outputs, cached ? cache : undefined);
      }
      expect(written).toEqual(target);
    }
  });
});
