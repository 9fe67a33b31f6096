import { expect, it } from 'vitest';
import { Random } from '../base/random.js';
import type { SessionOptions } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { createDecoder } from './sequence-decoder.js';

it('leaves it to the engine whether the threads of a session that writes spin', async () => {
  const model = Model.create('llama', { layers: 1, width: 32, heads: 2, keyValueHeads: 1, context: 8, vocabulary: 20 });
  const parameters = model.layout.initialize(new Random(1));
  const engine = new NodeEngine();
  const compiled: SessionOptions[] = [];
  const watched = {
    name: engine.name,
    target: engine.target,
    views: engine.views,
    compile: engine.compile.bind(engine),
    compileAnySize: ((program, options = {}) => {
      compiled.push(options);
      return engine.compileAnySize!(program, options);
    }) satisfies NodeEngine['compileAnySize'],
  };
  const decoder = createDecoder({ model, parameters, engine: watched, compile: { threads: 2 } });
  const { logits } = await decoder.step([1, 2, 3]);
  await decoder.dispose();
  expect(logits.every(Number.isFinite)).toBe(true);
  expect(compiled).toEqual([{ threads: 2 }]);
});
