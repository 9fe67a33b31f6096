/*
 * Shape suffixes: I values that come in; O that go out; R the rank of an adapter.
 */
import type { Engine } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { gemm, input } from '../graph/index.js';
import type { AdaptedLayer } from '../model/adapter.js';
import type { ParameterLayout } from '../model/layout.js';

/** A layer's adapter: A [R, I] and B [O, R], row-major. */
interface Matrices extends AdaptedLayer {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * Adds an adapter to the weights that it was trained beside, W + scale · B · A, in float32: the model computes the same
 * without it from then on.
 *
 * @param parameters all of the model's, as `layout` describes them; changed in place
 */
export async function mergeAdapter(
  engine: Engine,
  layout: ParameterLayout,
  parameters: Float32Array,
  layers: readonly Matrices[],
): Promise<void> {
  const sessions = new Sessions(engine, { spinning: false, arena: false });
  const views = layout.views(parameters);
  try {
    for (const { name, inputs, outputs, rank, scale: alpha, rows, a, b } of layers) {
      const session = await sessions.get(`${inputs} ${outputs} ${rank} ${alpha} ${rows}`, () => {
        const [a_RI, b_OR] = [input('a', [rank, inputs]), input('b', [outputs, rank])];
        const merged =
          rows === 'outputs'
            ? gemm(b_OR, a_RI, input('weight', [outputs, inputs]), { alpha })
            : gemm(a_RI, b_OR, input('weight', [inputs, outputs]), { transA: true, transB: true, alpha });
        return { merged };
      });
      const weight = views[`${name}.weight`]!;
      // What is read must not be what is written.
      const { merged } = await session.run({ weight, a, b });
      weight.set(merged as Float32Array);
    }
  } finally {
    await sessions.dispose();
  }
}
