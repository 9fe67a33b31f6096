import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import fallbacks from '../../../test/lowerings/webgpu-fallbacks.json' with { type: 'json' };
import { NodeEngine } from '../../engine/node/engine.js';
import { encode, gradients, input, reshape, type Target } from '../../graph/index.js';
import {
  difference,
  expectGradients,
  int64s,
  type OpenBert,
  openBert,
  traceBert,
} from '../../model/bert.test-support.js';
import { Model } from '../../model/model.js';
import { maskedLoss } from './masked-loss.js';

/** More than the fixture has tokens to tell, as a batch has with room to spare. */
const M = 16;

let opened: OpenBert;
beforeAll(async () => {
  opened = await openBert();
});
afterAll(() => opened.answers.close());

function traced(target: Target, chunk?: number) {
  const { config, layout } = opened;
  const { p, x_NC } = traceBert(opened);
  const model = Model.fromConfig(config);
  const told = {
    positions_M: input('positions', [M], 'int64'),
    targets_M: input('targets', [M], 'int64'),
    weights_M: input('weights', [M]),
  };
  const { loss, predictions } = maskedLoss(model, p, x_NC, told, chunk);
  expect([loss.shape, predictions.shape]).toEqual([[], [M]]);
  const parts = gradients(
    loss,
    layout.entries.map(({ name }) => p[name]!),
  );
  return encode(
    {
      loss: reshape(loss, [1]),
      predictions,
      ...Object.fromEntries(layout.entries.map(({ name }, i) => [`gradient.${name}`, parts[i]!])),
    },
    target,
  );
}

/** Room that is not used is filled with the first token of row 0, which counts for nothing. */
const padded = (values: readonly number[]) => [...values, ...Array<number>(M - values.length).fill(0)];

async function run({ weight = 1, chunk }: { weight?: number; chunk?: number } = {}) {
  const { told, views, ids } = opened;
  const engine = new NodeEngine();
  const session = await engine.compile(traced(engine.target, chunk));
  const outputs = (await session.run({
    ...views,
    ids,
    positions: int64s(padded(told.map(([row]) => row))),
    targets: int64s(padded(told.map(([, target]) => target))),
    weights: Float32Array.from(padded(told.map(() => weight))),
  })) as Record<string, Float32Array>;
  await session.dispose();
  return outputs;
}

describe('maskedLoss', () => {
  it('is the sum of what PyTorch has the mean of, over the tokens to be told alone', async () => {
    const count = opened.told.length;
    expect(count).toBeLessThan(M);
    const { loss } = await run();
    expect(difference([loss![0]! / count], await opened.answers.readFloat32('loss'))).toBeLessThan(1e-5);
  });

  it.each([
    ['at once', undefined],
    ['in chunks of four rows', 4 * 31],
    ['row by row', 1],
  ])("has PyTorch's gradients, with weights that make the sum the mean, %s", async (_, chunk) => {
    const outputs = await run({ weight: 1 / opened.told.length, ...(chunk && { chunk }) });
    expect(difference(outputs.loss!, await opened.answers.readFloat32('loss'))).toBeLessThan(1e-5);
    const named = opened.layout.entries.map(({ name }) => [name, outputs[`gradient.${name}`]!]);
    await expectGradients(opened, Object.fromEntries(named));
  });

  it("predicts the token of PyTorch's largest score", async () => {
    const { predictions } = await run();
    const scores = await opened.answers.readFloat32('logits');
    const [B, T, V] = [3, 13, 31];
    opened.told.forEach(([row], i) => {
      const at = ((row % B) * T + Math.floor(row / B)) * V;
      const ours = [...scores.subarray(at, at + V)];
      expect(predictions![i]! + 0).toBe(ours.indexOf(Math.max(...ours)));
    });
  });

  it('holds no operator that falls back to the CPU on WebGPU', () => {
    const { node } = fromBinary(ModelProtoSchema, traced('webgpu', 4 * 31).onnx).graph!;
    expect(node.length).toBeGreaterThan(300);
    expect(node.filter(({ opType }) => Object.hasOwn(fallbacks.operators, opType))).toEqual([]);
  });
});
