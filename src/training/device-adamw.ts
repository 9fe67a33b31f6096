/*
 * AdamW, and Muon where it has matrices, as one graph over whole vectors, for devices that keep them: the norm and the
 * clipping are in it, so that nothing but a step's few numbers goes in and nothing but the norm comes out.
 */
import {
  add,
  concat,
  div,
  encode,
  input,
  minimum,
  mul,
  type Program,
  reduceSum,
  reshape,
  scalar,
  scale,
  shift,
  split,
  sqrt,
  sub,
  type Target,
  type Tensor,
} from '../graph/index.js';
import type { ParameterLayout } from '../model/layout.js';
import { type AdamwOptions, tracedUpdate, type UpdateRange, updateRanges } from './adamw.js';
import { factorAt, type MuonMatrix, muonScale, rangeOf, tracedMuon } from './muon.js';

/** Elements that are summed one after the other; their sums again so, which also keeps rounding errors from adding up. */
const ROW = 256;

/** The sum of a vector, to no axes. */
export function tracedSum(x: Tensor): Tensor {
  const size = x.shape[0]!;
  if (size <= ROW) return reduceSum(x, [0]);
  const rows = Math.floor(size / ROW);
  const rest = size - rows * ROW;
  const [main, last] = rest === 0 ? [x] : split(x, 0, [rows * ROW, rest]);
  const sum = tracedSum(reduceSum(reshape(main!, [rows, ROW]), [1]));
  return last ? add(sum, reduceSum(last, [0])) : sum;
}

/**
 * One step over `parameters`, `gradient`, `moment1` and `moment2`, each a vector. Further inputs, numbers: `scale` of the
 * gradient, the learning rate `rate`, and `correction1` and `correction2`, by which the step's number corrects the moments'
 * bias: 1 − β1^(t+1) and √(1 − β2^(t+1)). Outputs: the vectors after it, `parameters_out` and so on, and `norm`, the
 * scaled gradient's before clipping; where that is not finite they are to be thrown away.
 */
export function traceDeviceAdamw(
  layout: Pick<ParameterLayout, 'size' | 'decayed'>,
  options: AdamwOptions,
  target: Target,
): Program {
  const { beta1, beta2, epsilon, weightDecay, clip, rateRanges, muon } = options;
  const vectors = ['parameters', 'gradient', 'moment1', 'moment2'].map((name) => input(name, [layout.size]));
  const number = (name: string) => input(name, []);
  const [gradientScale, rate, correction2] = [number('scale'), number('rate'), number('correction2')];

  const gradient = vectors[1]!;
  const norm = mul(sqrt(tracedSum(mul(gradient, gradient))), gradientScale);
  const clipped = minimum(scalar(1), div(scalar(clip), shift(norm, 1e-6)));
  const limited = clip > 0 ? mul(gradientScale, clipped) : gradientScale;
  const common = {
    share1: scale(limited, 1 - beta1),
    share2: scale(mul(limited, limited), 1 - beta2),
    epsilon: scale(correction2, epsilon),
  };
  const reach = div(correction2, number('correction1'));

  const matrices = muon?.matrices.map((matrix) => ({ ...rangeOf(matrix), matrix })) ?? [];
  const ranges: (UpdateRange & { readonly matrix?: MuonMatrix })[] = [
    ...updateRanges(layout, rateRanges, matrices),
    ...matrices.map((one) => ({ ...one, decayed: true, factor: factorAt(one.start, rateRanges) })),
  ].sort((a, b) => a.start - b.start);
  const sizes = ranges.map(({ start, end }) => end - start);
  const parts = vectors.map((vector) => split(vector, 0, sizes));
  const after = ranges.map(({ decayed, factor, matrix }, i) => {
    const [parameters, gradient, moment1, moment2] = parts.map((of) => of[i]!) as [Tensor, Tensor, Tensor, Tensor];
    const own = scale(rate, factor);
    const keep = decayed ? sub(scalar(1), scale(own, weightDecay)) : scalar(1);
    if (muon && matrix) {
      const shaped = (x: Tensor) => reshape(x, [matrix.rows, matrix.columns]);
      const values = { parameters: shaped(parameters), gradient: shaped(gradient), moment1: shaped(moment1) };
      const share = scale(limited, 1 - muon.momentum);
      const after = tracedMuon(values, { share, rate: scale(own, muonScale(matrix)), keep }, muon.momentum);
      const flat = (x: Tensor) => reshape(x, [matrix.rows * matrix.columns]);
      return { parameters: flat(after.parameters), moment1: flat(after.moment1), moment2 };
    }
    const numbers = { ...common, rate: mul(own, reach), keep };
    return tracedUpdate({ parameters, gradient, moment1, moment2 }, numbers, options);
  });
  const joined = (name: 'parameters' | 'moment1' | 'moment2') =>
    concat(
      after.map((part) => part[name]),
      0,
    );
  const outputs = {
    parameters_out: joined('parameters'),
    moment1_out: joined('moment1'),
    moment2_out: joined('moment2'),
    norm,
  };
  return encode(outputs, target);
}
