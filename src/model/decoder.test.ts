import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, gradients, input } from '../graph/index.js';
import { Causal } from '../objectives/causal/causal.js';
import { decoderFixtures, decoderSwitches, openDecoder, T, tokenAt, wave } from './decoder.test-support.js';

const engine = new NodeEngine();

describe.each([...decoderFixtures, ...decoderSwitches])('%s as Python transformers computes it', (name) => {
  it('has the same scores, loss and gradient of every parameter', async () => {
    const { fixture, model, batch: B, parameters } = openDecoder(name);
    const V = model.dimensions.vocabulary;
    const { entries } = model.layout;
    expect(Object.keys(fixture.gradients).sort()).toEqual(entries.map((entry) => entry.name).sort());
    const p = model.parameterInputs();
    const ids = input('ids', [T * B], 'int64');
    const loss = new Causal(model, T).loss(p, { ids, targets: input('targets', [T * B], 'int64') }, B);
    const traced = gradients(
      loss,
      entries.map((entry) => p[entry.name]!),
    );
    const logits = model.logits(p, model.hidden(p, ids, B, T));
    const named = Object.fromEntries(entries.map((entry, i) => [`d.${entry.name}`, traced[i]!]));
    const session = await engine.compile(encode({ loss, logits, ...named }, engine.target));
    const timeMajor = (after: number) =>
      BigInt64Array.from({ length: T * B }, (_, i) => BigInt(tokenAt(i % B, Math.floor(i / B) + after, V)));
    const results = await session.run({
      ...model.layout.views(parameters),
      ids: timeMajor(0),
      targets: timeMajor(1),
    });
    await session.dispose();

    const ours = results.logits as Float32Array;
    const apart = fixture.logits.map((value, i) => {
      const [b, t] = [Math.floor(i / (T * V)), Math.floor(i / V) % T];
      return Math.abs(value - ours[(t * B + b) * V + (i % V)]!);
    });
    expect(Math.max(...apart)).toBeLessThan(1e-4);
    expect(Math.abs(Number(results.loss![0]) - fixture.loss)).toBeLessThan(1e-5);
    for (const { name: parameter, size } of entries) {
      const gradient = results[`d.${parameter}`] as Float32Array;
      for (const [k, expected] of fixture.gradients[parameter]!.entries()) {
        const got = wave(size, 101 + k).reduce((sum, value, i) => sum + value * gradient[i]!, 0);
        expect(Math.abs(got - expected), `${parameter}, direction ${k}`).toBeLessThan(1e-4);
      }
    }
  });
});
