import {
  constant,
  linear,
  linearCrossEntropyInt8,
  mul,
  operators,
  type Shape,
  type Tensor,
} from '../../src/graph/index.js';
import { apply } from '../../src/graph/tensor.js';
import type { Draw, Operand, OperatorCase } from './case.js';
import { at, fill, reduced, transposed, type Values } from './values.js';

/*
 * Operands whose values are codes of 8 bits times a scale are quantised without loss, so that products of them are exact;
 * gradients come from outside, where they are not: they have an error of half a code for each term.
 */

/** Codes −127 … 127, the first of each row one of these two, by 127: all scales are those of 1. */
function symmetric(draw: Draw, shape: Shape): Operand {
  const columns = shape.at(-1)!;
  const data = Float64Array.from(draw.int8s(shape).data, (code, i) =>
    Math.fround(i % columns === 0 ? Math.sign(code + 0.5) : Math.max(-127, code) / 127),
  );
  return { shape, data, dtype: 'float32' };
}

/** Codes 0 … 255, the last one 255, by 255. */
function positive(draw: Draw, shape: Shape): Operand {
  const data = Float64Array.from(draw.uint8s(shape).data, (code) => Math.fround(code / 255));
  data[data.length - 1] = 1;
  return { shape, data, dtype: 'float32' };
}

const swapped = (x: Values): Values => transposed(x, [1, 0]);

function product(a: Values, b: Values): Values {
  const terms = Array.from({ length: a.shape[1]! }, (_, k) => k);
  return fill([a.shape[0]!, b.shape[1]!], ([m, n]) =>
    terms.reduce((sum, k) => sum + at(a, [m!, k]) * at(b, [k, n!]), 0),
  );
}

const even = (x: number): number => {
  const whole = Math.floor(x);
  return x - whole === 0.5 ? whole + (whole % 2) : Math.round(x);
};
const code = (x: number, low: number, high: number): number => Math.max(low, Math.min(high, even(x)));
const rowsOf = (x: Values): number[][] => {
  const columns = x.shape[1]!;
  return Array.from({ length: x.shape[0]! }, (_, r) => Array.from(x.data.subarray(r * columns, (r + 1) * columns)));
};
const largest = (values: readonly number[]) => Math.max(1e-30, ...values.map(Math.abs));

/** P less 1 at the targets, by the mean over rows, each with its weight: the gradient by scores. */
function byScores(x: Values, w: Values, ids: Values, weights: Values | undefined): Values {
  const scores = rowsOf(product(x, swapped(w)));
  const N = scores.length;
  return {
    shape: [N, w.shape[0]!],
    data: Float64Array.from(
      scores.flatMap((row, n) => {
        const sum = row.reduce((all, score) => all + Math.exp(score), 0);
        return row.map(
          (score, v) => ((Math.exp(score) / sum - Number(ids.data[n] === v)) * (weights?.data[n] ?? 1)) / N,
        );
      }),
    ),
  };
}

/** Operands of a head: hidden states, rows, targets, random numbers for both, and weights where rows have them. */
function headOf(draw: Draw) {
  const [n, c, v] = [draw.size(6), draw.size(), draw.size(6)];
  const weighted = draw.bool();
  const fixed = (operand: Operand) => ({ ...operand, fixed: true });
  const operands = [
    ...[positive(draw, [n, c]), symmetric(draw, [v, c]), draw.ids(n, v)],
    ...[fixed(draw.floats([n, v], -0.5, 0.5)), fixed(draw.floats([n, c], -0.5, 0.5))],
    ...(weighted ? [fixed(draw.floats([n], 0.5, 2))] : []),
  ];
  const traced = (x: Tensor, w: Tensor, ids: Tensor, rounding: readonly Tensor[], weights?: Tensor) => {
    const numbers = [...rounding];
    return linearCrossEntropyInt8(x, w, ids, () => numbers.shift()!, weights);
  };
  return { operands, traced };
}

/** The error of so few terms of a gradient in codes, by the largest of them. */
const GRADIENT_TOLERANCE = 0.05;

export const int8Cases: Record<string, OperatorCase> = {
  quantizeRange: (draw) => ({
    operands: [draw.floats([draw.size(), draw.size()])],
    trace: (x) => apply(operators.quantizeRange!, [x!]),
    reference: (x) => {
      const values = [...x!.data, 0];
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const scale = (high - low) / 255;
      const zero = code(-low / scale, 0, 255);
      const codes = x!.data.map((value) => Math.max(0, Math.min(255, even(value / scale) + zero)));
      return [
        { shape: x!.shape, data: codes },
        { shape: [], data: Float64Array.of(scale) },
        { shape: [], data: Float64Array.of(zero) },
      ];
    },
  }),
  magnitude: (draw) => {
    const rows = draw.bool();
    return {
      operands: [draw.floats([draw.size(), draw.size()])],
      trace: (x) => apply(operators.magnitude!, [x!], { rows }),
      reference: (x) => {
        const found = rows ? rowsOf(x!).map(largest) : [largest([...x!.data])];
        return { shape: rows ? [found.length] : [], data: Float64Array.from(found) };
      },
    };
  },
  quantizeSymmetric: (draw) => {
    const [signed, byRow] = [draw.bool(), draw.bool()];
    const rows = draw.size();
    return {
      operands: [draw.floats([rows, draw.size()]), draw.floats(byRow ? [rows] : [], 0.005, 0.05)],
      trace: (x, scales) => apply(operators.quantizeSymmetric!, [x!, scales!], { signed }),
      reference: (x, scales) => {
        const [low, high, middle] = signed ? [-128, 127, 0] : [0, 255, 128];
        const codes = rowsOf(x!).flatMap((row, r) =>
          row.map((value) => Math.max(low!, Math.min(high!, even(value / scales!.data[byRow ? r : 0]!) + middle!))),
        );
        return { shape: x!.shape, data: Float64Array.from(codes) };
      },
    };
  },
  quantizeRows: (draw) => {
    const least = draw.pick(undefined, -0.25);
    return {
      operands: [draw.floats([draw.size(), draw.size()], least ?? -3, 3)],
      trace: (x) => apply(operators.quantizeRows!, [x!], least === undefined ? {} : { least }),
      reference: (x) => {
        const steps = rowsOf(x!).map((row) =>
          least === undefined
            ? Math.fround(largest(row) * Math.fround(1 / 127))
            : Math.max(Math.fround(Math.max(...row) * Math.fround(1 / 239)), Math.fround(-least / 16)),
        );
        const middle = least === undefined ? 128 : 16;
        const codes = rowsOf(x!).flatMap((row, r) =>
          row.map((value) => code(value / steps[r]!, -middle, 255 - middle) + middle),
        );
        return [
          { shape: x!.shape, data: Float64Array.from(codes) },
          { shape: [steps.length], data: Float64Array.from(steps) },
        ];
      },
    };
  },
  quantizePositive: (draw) => ({
    operands: [draw.floats([draw.size(), draw.size()], -0.5, 300)],
    trace: (x) => apply(operators.quantizePositive!, [x!], { step: 1 }),
    reference: (x) => ({ shape: x!.shape, data: x!.data.map((value) => code(value, 0, 255)) }),
  }),
  zeroPoint: (draw) => {
    const value = draw.pick(0, 128, 255);
    return {
      operands: [],
      trace: () => apply(operators.zeroPoint!, [], { value }),
      reference: () => ({ shape: [], data: Float64Array.of(value) }),
    };
  },
  productInt8: (draw) => {
    const [m, k, n] = [draw.size(), draw.size(), draw.size()];
    const bias = draw.bool();
    return {
      operands: [
        ...[draw.uint8s([m, k]), draw.floats([], 0.01, 0.02), draw.int8s([k, n])],
        ...[draw.floats(draw.bool() ? [n] : [], 0.01, 0.02), draw.uint8s([])],
        ...(bias ? [draw.floats([n])] : []),
      ],
      trace: (...operands) => apply(operators.productInt8!, operands),
      reference: (a, aScale, b, bScale, zero, c) => {
        const exact = product({ ...a!, data: a!.data.map((x) => x - zero!.data[0]!) }, b!);
        return fill(exact.shape, ([i, j]) => {
          const column = bScale!.data.length === 1 ? 0 : j!;
          return at(exact, [i!, j!]) * aScale!.data[0]! * bScale!.data[column]! + (c ? c.data[j!]! : 0);
        });
      },
    };
  },
  linear: (draw) => {
    const [n, i, o] = [draw.size(), draw.size(), draw.size()];
    const [transB, bias, gated] = [draw.bool(), draw.bool(), draw.bool()];
    return {
      operands: [
        // Of a product of two each row has a scale of its own.
        ...[(gated ? symmetric : positive)(draw, [n, i]), symmetric(draw, transB ? [o, i] : [i, o])],
        ...(bias ? [draw.floats([o])] : []),
      ],
      trace: (x, w, b) =>
        linear(gated ? mul(x!, constant(new Float32Array(n).fill(1), [n, 1])) : x!, w!, b, { transB }),
      reference: (x, w, b) => {
        const y = product(x!, transB ? swapped(w!) : w!);
        return fill(y.shape, ([r, c]) => at(y, [r!, c!]) + (b ? b.data[c!]! : 0));
      },
      gradientTolerance: GRADIENT_TOLERANCE,
    };
  },
  linearInputGradient: (draw) => {
    const [n, i, o] = [draw.size(), draw.size(), draw.size()];
    const transB = draw.bool();
    return {
      operands: [symmetric(draw, [n, o]), symmetric(draw, transB ? [o, i] : [i, o])],
      trace: (g, w) => apply(operators.linearInputGradient!, [g!, w!], { transB }),
      reference: (g, w) => product(g!, transB ? w! : swapped(w!)),
    };
  },
  linearWeightGradient: (draw) => {
    const [n, i, o] = [draw.size(), draw.size(), draw.size()];
    const [transB, rowScales] = [draw.bool(), draw.bool()];
    return {
      operands: [(transB ? symmetric : positive)(draw, [n, i]), symmetric(draw, [n, o])],
      trace: (x, g) => apply(operators.linearWeightGradient!, [x!, g!], { transB, rowScales }),
      reference: (x, g) => (transB ? product(swapped(g!), x!) : product(swapped(x!), g!)),
    };
  },
  columnSums: (draw) => ({
    operands: [draw.floats([draw.size(), draw.size()])],
    trace: (g) => apply(operators.columnSums!, [g!]),
    reference: (g) => reduced(g!, [0], false, (total, value) => total + value, 0),
  }),
  linearCrossEntropyInt8: (draw) => {
    const { operands, traced } = headOf(draw);
    return {
      operands,
      trace: (x, w, ids, p, h, weights) => traced(x!, w!, ids!, [p!, h!], weights),
      reference: (x, w, ids, _p, _h, weights) => {
        const costs = rowsOf(product(x!, swapped(w!))).map((row, n) => {
          const sum = row.reduce((all, score) => all + Math.exp(score), 0);
          return (Math.log(sum) - row[ids!.data[n]!]!) * (weights?.data[n] ?? 1);
        });
        return { shape: [], data: Float64Array.of(costs.reduce((a, b) => a + b) / costs.length) };
      },
      gradientTolerance: GRADIENT_TOLERANCE,
    };
  },
  linearCrossEntropyInt8Gradient: (draw) => {
    const { operands, traced } = headOf(draw);
    return {
      operands: [draw.floats([]), ...operands],
      trace: (g, x, w, ids, p, h, weights) => {
        const { inputs, attributes } = traced(x!, w!, ids!, [p!, h!], weights).node;
        return apply(operators.linearCrossEntropyInt8Gradient!, [g!, ...inputs], attributes);
      },
      reference: (g, x, w, ids, _p, _h, weights) => {
        const d = byScores(x!, w!, ids!, weights);
        const times = (y: Values): Values => ({ ...y, data: y.data.map((value) => value * g!.data[0]!) });
        return [times(product(d, w!)), times(product(swapped(d), x!))];
      },
      tolerance: GRADIENT_TOLERANCE,
    };
  },
};

/** Why they have no gradient. */
export const int8NotDifferentiable: Record<string, string> = {
  ...Object.fromEntries(
    ['quantizeRange', 'quantizeSymmetric', 'quantizeRows', 'quantizePositive', 'zeroPoint'].map((name) => [
      name,
      'its values are integers',
    ]),
  ),
  magnitude: 'it measures what is quantised',
  productInt8: 'its operands are integers',
  ...Object.fromEntries(
    ['linearInputGradient', 'linearWeightGradient', 'columnSums', 'linearCrossEntropyInt8Gradient'].map((name) => [
      name,
      'it is a gradient itself',
    ]),
  ),
};

/** Those with products in 8 bits, for which some processors have no exact instructions (see `engine/int8-probe.ts`). */
export const INT8_PRODUCTS: readonly string[] = [
  ...['productInt8', 'linear', 'linearInputGradient', 'linearWeightGradient'],
  ...['linearCrossEntropyInt8', 'linearCrossEntropyInt8Gradient'],
];
