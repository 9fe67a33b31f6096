import { describe, expect, it } from 'vitest';
import cases from '../../test/fixtures/encoders/cases.json' with { type: 'json' };
import { SafetensorsFile } from '../base/files/safetensors.js';
import type { JsonObject } from '../base/json.js';
import { NodeEngine } from '../engine/node/engine.js';
import {
  add,
  crossEntropy,
  encode,
  gather,
  gradients,
  input,
  reshape,
  scale,
  shift,
  split,
  type Tensor,
  transpose,
} from '../graph/index.js';
import { difference, int64s } from './bert.test-support.js';
import { ids, mean, storedInts, storedWeights, timeMajorInts } from './fixture.test-support.js';
import { Model } from './model.js';

const [B, T] = [3, 7];
const folder = new URL('../../test/fixtures/encoders/', import.meta.url).pathname;

/** Mean cross-entropy, as the fixture has it for the head. */
function lossOf(model: Model, scores: Tensor, targets: Int32Array, own_N: Tensor): Tensor {
  const { task } = model.taskHead!;
  if (task === 'sequence') return mean(crossEntropy(scores, ids([...targets])));
  if (task === 'span') {
    const unseen_BT = transpose(reshape(scale(shift(own_N, -1), 1e9), [T, B]), [1, 0]);
    const ends = split(scores, 1, [1, 1]).map((x, i) => {
      const seen_BT = add(transpose(reshape(x, [T, B]), [1, 0]), unseen_BT);
      return mean(crossEntropy(seen_BT, ids([...targets.subarray(B * i, B * i + B)])));
    });
    return scale(add(ends[0]!, ends[1]!), 0.5);
  }
  const asked = [...targets.entries()].filter(([, target]) => target >= 0);
  const rows = asked.map(([i]) => (i % T) * B + Math.floor(i / T));
  return mean(crossEntropy(gather(scores, ids(rows)), ids(asked.map(([, target]) => target))));
}

describe.each(Object.entries(cases))('%s of Python transformers', (name, config) => {
  it('has the same scores, loss and gradients, with what fills texts up', async () => {
    const model = Model.fromConfig(config as JsonObject);
    const { layout } = model;
    const file = await SafetensorsFile.open(`${folder}${name}.safetensors`);
    const timeMajor = (key: string) => timeMajorInts(file, key, B, T);
    const views = await storedWeights(file, layout);

    const p = model.parameterInputs();
    const own_N = input('own', [B * T]);
    const types_N = file.tensors.has('types') ? input('types', [B * T], 'int64') : undefined;
    const x_NC = model.hidden(p, input('ids', [B * T], 'int64'), B, T, { own_N, types_N });
    const scores = model.scores(p, x_NC, { batch: B, own_N });
    const loss = lossOf(model, scores, await storedInts(file, 'targets'), own_N);
    const parts = gradients(
      loss,
      layout.entries.map((entry) => p[entry.name]!),
    );
    const named = layout.entries.map((entry, i) => [`gradient.${entry.name}`, parts[i]!] as const);
    const engine = new NodeEngine();
    const session = await engine.compile(
      encode({ scores, loss: reshape(loss, [1]), ...Object.fromEntries(named) }, engine.target),
    );
    const own = Float32Array.from(await timeMajor('own'));
    const given = types_N ? { types: int64s(await timeMajor('types')) } : {};
    const results = await session.run({ ...views, ids: int64s(await timeMajor('input_ids')), own, ...given });
    await session.dispose();

    const ours = results.scores as Float32Array;
    const width = ours.length / (B * T);
    const scored =
      model.taskHead!.task === 'sequence'
        ? ours
        : ours.map((_, i) => {
            const [row, column] = [Math.floor(i / width), i % width];
            const at = (row % T) * B + Math.floor(row / T);
            return ours[at * width + column]! * own[at]!;
          });
    expect(difference(scored, await file.readFloat32('scores'))).toBeLessThan(1e-4);
    expect(difference(results.loss as Float32Array, await file.readFloat32('loss'))).toBeLessThan(1e-4);
    for (const { name: parameter } of layout.entries) {
      const gradient = results[`gradient.${parameter}`] as Float32Array;
      const key = `gradient.${parameter}`;
      const reference = file.tensors.has(key) ? await file.readFloat32(key) : gradient.map(() => 0);
      // Softmax ignores a constant added to a row: where nothing else stands after a bias its gradient is rounding.
      const none = reference.every((value) => Math.abs(value) < 1e-9);
      if (none) expect(Math.max(...gradient.map(Math.abs)), parameter).toBeLessThan(1e-5);
      else expect(difference(gradient, reference), parameter).toBeLessThan(1e-4);
    }
    await file.close();
  });
});
