import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../../engine/node/engine.js';
import { encode, input } from '../../graph/index.js';
import { Model } from '../../model/model.js';
import { tokenLosses } from './token-losses.js';

const V = 5;
const [batch, length] = [2, 3];
const model = Model.create('gpt2', {
  layers: 1,
  width: 4,
  heads: 1,
  keyValueHeads: 1,
  context: 3,
  vocabulary: V,
});

async function run(parameters: Float32Array, chunk?: number) {
  const engine = new NodeEngine();
  const inputs = model.parameterInputs();
  const [ids, targets] = ['ids', 'targets'].map((name) => input(name, [batch * length], 'int64'));
  const x_NC = model.hidden(inputs, ids!, batch, length);
  const session = await engine.compile(encode(tokenLosses(model, inputs, x_NC, targets!, chunk), engine.target));
  const outputs = await session.run({
    ...model.layout.views(parameters),
    ids: BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 0n),
    targets: BigInt64Array.of(2n, 3n, 4n, 0n, 1n, 2n),
  });
  await session.dispose();
  return {
    losses: [...outputs.losses!].map(Number),
    predictions: [...outputs.predictions!].map((id) => Number(id) + 0),
  };
}

describe('tokenLosses', () => {
  it('predicts the first of equally likely tokens', async () => {
    const { losses, predictions } = await run(new Float32Array(model.layout.size));
    for (const loss of losses) expect(loss).toBeCloseTo(Math.log(V), 6);
    expect(predictions).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('predicts the token whose row of the head fits the hidden state, by however little', async () => {
    const parameters = new Float32Array(model.layout.size);
    const views = model.layout.views(parameters);
    // The hidden state is the last norm's bias alone: [1, 0, 0, 0]; scores are the first column of the head.
    views['transformer.ln_f.bias']![0] = 1;
    const scores = [0.5, 1, 1.0000001, -3, 1];
    scores.forEach((score, id) => {
      views['transformer.wte.weight']![id * 4] = score;
    });
    const { losses, predictions } = await run(parameters);
    expect(predictions).toEqual([2, 2, 2, 2, 2, 2]);
    const logSum = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
    [2, 3, 4, 0, 1, 2].forEach((target, i) => {
      expect(losses[i]).toBeCloseTo(logSum - scores[target]!, 5);
    });
  });

  it('gives the same in chunks', async () => {
    const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => Math.sin(i * i));
    const whole = await run(parameters);
    expect(new Set(whole.predictions).size).toBeGreaterThan(1);
    for (const chunk of [1, 2 * V, 4 * V]) {
      const parts = await run(parameters, chunk);
      expect(parts.predictions).toEqual(whole.predictions);
      parts.losses.forEach((loss, i) => {
        expect(loss).toBeCloseTo(whole.losses[i]!, 5);
      });
    }
  });
});
