import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { loadModel } from '../hub/load-model.js';
import { MEAN } from '../hub/sentence-folder.js';
import { alikeInLength, byPowersOfTwo, embeddingRuns } from './embedding-runs.js';

const lengthsOf = fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 200 });
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

it('runs of powers of two hold every text once, those of like length together, none too large', () => {
  fc.assert(
    fc.property(lengthsOf, (all) => {
      const runs = [...byPowersOfTwo(all, 300)];
      expect(sorted(runs.flatMap(({ texts }) => texts))).toEqual([...all.keys()]);
      for (const { tokens, texts } of runs) {
        expect(texts.every((i) => all[i]! <= tokens && (tokens === 16 || all[i]! > tokens / 2 || tokens === 300))).toBe(
          true,
        );
        expect(tokens * texts.length).toBeLessThanOrEqual(2048);
      }
    }),
  );
});

it('runs of any size hold every text once, and fill none up by more than a tenth', () => {
  fc.assert(
    fc.property(lengthsOf, (all) => {
      const runs = [...alikeInLength(all)];
      expect(sorted(runs.flatMap(({ texts }) => texts))).toEqual([...all.keys()]);
      for (const { tokens, texts } of runs) {
        expect(Math.max(...texts.map((i) => all[i]!))).toBe(tokens);
        expect(texts.every((i) => all[i]! * 1.1 >= tokens)).toBe(true);
        expect(tokens * texts.length).toBeLessThanOrEqual(1024);
      }
    }),
  );
});

it('fused operators give the vectors of plain ones, whatever stands beside a text', async () => {
  const { model, parameters } = await loadModel(new URL('../../test/fixtures/sentence/tiny', import.meta.url).pathname);
  const engine = new NodeEngine();
  const plain: Engine = {
    ...{ name: engine.name, target: engine.target, views: engine.views },
    compile: (...given) => engine.compile(...given),
  };
  const options = { model, parameters, sentence: MEAN, longest: model.dimensions.context, compile: { threads: 1 } };
  const [fused, sized] = [engine, plain].map((one) => embeddingRuns({ ...options, engine: one }));
  const { vocabulary: V, context } = model.dimensions;
  const text = fc.array(fc.nat(V - 1), { minLength: 1, maxLength: Math.min(context, 20) });
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (texts) => {
      const ids = texts.map((one) => Int32Array.from(one));
      const longest = Math.max(...ids.map(({ length }) => length));
      const actual = await fused!.run(ids, longest);
      const expected = await sized!.run(ids, 2 ** Math.ceil(Math.log2(longest)));
      expect(actual.length).toBe(expected.length);
      for (const [i, value] of actual.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5);
    }),
    { numRuns: 20 },
  );
  await Promise.all([fused!.dispose(), sized!.dispose()]);
});
