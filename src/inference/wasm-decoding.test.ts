import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { WebEngine } from '../engine/web/engine.js';
import { Model } from '../model/model.js';
import { largest } from './decoder.test-support.js';
import { PRECISIONS } from './precision.js';
import { createDecoder } from './sequence-decoder.js';
import { weightsIn } from './weights.js';

const sizes = { layers: 2, width: 64, heads: 4, keyValueHeads: 2, context: 160, vocabulary: 61 };
const prompt = Array.from({ length: 140 }, (_, i) => (i * 17) % sizes.vocabulary);

// ONNX Runtime's WASM files also load in Node; test/browser has the same in Chromium.
describe.each(['llama', 'gpt2'] as const)('a %s on WASM', (family) => {
  it.each(PRECISIONS)('scores as on the CPU, through a cache that grows: %s', async (precision) => {
    const model = Model.create(family, { ...sizes, keyValueHeads: family === 'gpt2' ? 4 : 2 });
    const parameters = model.layout.initialize(new Random(3));
    const given = precision === 'fp32' ? parameters : weightsIn(precision, model, model.layout.views(parameters));
    const [here, there] = [new NodeEngine(), await WebEngine.create('wasm')].map((engine) =>
      createDecoder({ model, engine, parameters: given }),
    );
    let ids = [...prompt];
    for (let read = 0; read < sizes.context; ) {
      const [expected, actual] = [await here!.step(ids.slice(0)), await there!.step(ids.slice(0))];
      expect(actual.taken).toBe(expected.taken);
      read += actual.taken;
      const worst = Math.max(...expected.logits.map((x, i) => Math.abs(x - actual.logits[i]!)));
      // WASM rounds weights alone; what Node multiplies by them is rounded to 8 bits there.
      expect(worst).toBeLessThan(precision === 'fp32' ? 1e-4 : 1e-2);
      ids = ids.slice(actual.taken);
      if (ids.length === 0) ids = [largest(expected.logits)];
    }
    await here!.dispose();
    await there!.dispose();
  });
});
