import {
  type AttentionOptions,
  attention,
  crossEntropy,
  dropoutFactors,
  gather,
  gemm,
  layerNorm,
  linearCrossEntropy,
  linearDistillation,
  matmul,
  pick,
  place,
  rmsNorm,
  rotary,
  scatterAdd,
} from '../../src/graph/index.js';
import type { Operand, OperatorCase } from './case.js';
import { at, fill, rows, softmaxRow, transposed, type Values, zip } from './values.js';

const alphas = [1, -0.5, 2] as const;
const sum = (n: number, f: (i: number) => number) =>
  Array.from({ length: n }, (_, i) => f(i)).reduce((a, b) => a + b, 0);

/** [..., M, K] × [..., K, N] */
function product(a: Values, b: Values): Values {
  const inner = a.shape.at(-1)!;
  return fill([...a.shape.slice(0, -1), b.shape.at(-1)!], (index) => {
    const batch = index.slice(0, -2);
    const [m, n] = index.slice(-2) as [number, number];
    return sum(inner, (k) => at(a, [...batch, m, k]) * at(b, [...batch, k, n]));
  });
}

/** The cross-entropy of a row of scores. */
const costOf = (logits: Values, i: number, target: number): number => {
  const row = Array.from({ length: logits.shape[1]! }, (_, j) => at(logits, [i, j]));
  return -Math.log(softmaxRow(row)[target]!);
};

const swapped = (x: Values) => {
  const rank = x.shape.length;
  return transposed(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
};

/** Attention of each head by its definition; query t of T stands at S − T + t. */
function attend(
  q: Values,
  k: Values,
  v: Values,
  options: AttentionOptions,
  { mask, bias, factors }: { readonly mask?: Values; readonly bias?: Values; readonly factors?: Values },
): Values {
  const [T, , , D] = q.shape as [number, number, number, number];
  const S = k.shape[0]!;
  const cache = new Map<string, number[]>();
  const weights = (t: number, b: number, h: number) => {
    const key = `${t} ${b} ${h}`;
    const known = cache.get(key);
    if (known) return known;
    const { causal, window = Number.POSITIVE_INFINITY, scale = 1 / Math.sqrt(D), softcap } = options;
    const own = S - T + t;
    const scores = Array.from({ length: S }, (_, s) => {
      if ((causal && s > own) || Math.abs(own - s) >= window) return Number.NEGATIVE_INFINITY;
      const score = scale * sum(D, (d) => at(q, [t, b, h, d]) * at(k, [s, b, h, d]));
      const more = (mask ? at(mask, [b, 0, t, s]) : 0) + (bias ? at(bias, [h, t, s]) : 0);
      return more + (softcap === undefined ? score : softcap * Math.tanh(score / softcap));
    });
    const result = softmaxRow(scores);
    cache.set(key, result);
    return result;
  };
  return fill(q.shape, ([t, b, h, d]) => {
    const w = weights(t!, b!, h!);
    const kept = (s: number) => (factors ? at(factors, [b!, h!, t!, s]) : 1);
    return sum(w.length, (s) => kept(s) * w[s]! * at(v, [s, b!, h!, d!]));
  });
}

const normalized = (row: readonly number[], epsilon: number, centre: boolean): number[] => {
  const mean = centre ? row.reduce((a, b) => a + b, 0) / row.length : 0;
  const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / row.length;
  return row.map((value) => (value - mean) / Math.sqrt(variance + epsilon));
};

/** Moves the elements of each row apart: a row of nearly equal ones is ill-conditioned, in any correct float32 code. */
function apart(x: Operand): Operand {
  const width = x.shape.at(-1)!;
  return { ...x, data: x.data.map((value, i) => Math.fround(value / 8 + (i % width))) };
}

/** Cases of the operators that models are made of. */
export const modelCases: Record<string, OperatorCase> = {
  gemm: (draw) => {
    const [m, k, n] = [draw.size(), draw.size(), draw.size()];
    const options = {
      transA: draw.bool(),
      transB: draw.bool(),
      alpha: draw.pick(...alphas),
      beta: draw.pick(...alphas),
    };
    const a = draw.floats(options.transA ? [k, m] : [m, k]);
    const b = draw.floats(options.transB ? [n, k] : [k, n]);
    const c = draw.pick(undefined, [n], [m, n], [1, n], [m, 1]);
    return {
      operands: c ? [a, b, draw.floats(c)] : [a, b],
      trace: (x, y, z) => gemm(x!, y!, z, options),
      reference: (x, y, z) => {
        const p = product(options.transA ? swapped(x!) : x!, options.transB ? swapped(y!) : y!);
        return zip(p, z ?? { shape: [], data: Float64Array.of(0) }, (u, v) => options.alpha * u + options.beta * v);
      },
    };
  },
  matmul: (draw) => {
    const [m, k, n] = [draw.size(), draw.size(), draw.size()];
    const batch = draw.shape(2);
    const o = {
      transA: draw.bool(),
      transB: draw.bool(),
      rowsFirstA: draw.bool(),
      rowsFirstB: draw.bool(),
      alpha: draw.pick(...alphas),
    };
    const layout = (rowsFirst: boolean, r: number, c: number) => (rowsFirst ? [r, ...batch, c] : [...batch, r, c]);
    const undo = (x: Values, rowsFirst: boolean, trans: boolean) => {
      const rank = x.shape.length;
      const plain = rowsFirst ? transposed(x, [...Array(rank - 2).keys()].map((i) => i + 1).concat(0, rank - 1)) : x;
      return trans ? swapped(plain) : plain;
    };
    return {
      operands: [
        draw.floats(o.transA ? layout(o.rowsFirstA, k, m) : layout(o.rowsFirstA, m, k)),
        draw.floats(o.transB ? layout(o.rowsFirstB, n, k) : layout(o.rowsFirstB, k, n)),
      ],
      trace: (x, y) => matmul(x!, y!, o),
      reference: (x, y) => {
        const p = product(undo(x!, o.rowsFirstA, o.transA), undo(y!, o.rowsFirstB, o.transB));
        return { shape: p.shape, data: p.data.map((value) => o.alpha * value) };
      },
    };
  },
  gather: (draw) => {
    const [rowsOf, count] = [draw.size(), draw.size(6)];
    const rest = draw.shape(2);
    return {
      operands: [draw.floats([rowsOf, ...rest]), draw.ids(count, rowsOf)],
      trace: gather,
      reference: (table, ids) => fill([count, ...rest], ([i, ...index]) => at(table!, [ids!.data[i!]!, ...index])),
    };
  },
  scatterAdd: (draw) => {
    const [rowsOf, count] = [draw.size(), draw.size(6)];
    const rest = draw.shape(2);
    return {
      operands: [draw.floats([rowsOf, ...rest]), draw.ids(count, rowsOf), draw.floats([count, ...rest])],
      trace: scatterAdd,
      reference: (base, ids, updates) =>
        fill(base!.shape, (index) => {
          const [row, ...others] = index;
          const more = sum(count, (i) => (ids!.data[i] === row ? at(updates!, [i, ...others]) : 0));
          return at(base!, index) + more;
        }),
    };
  },
  pick: (draw) => {
    const [n, v] = [draw.size(), draw.size()];
    return {
      operands: [draw.floats([n, v]), draw.ids(n, v)],
      trace: pick,
      reference: (x, ids) => fill([n], ([i]) => at(x!, [i!, ids!.data[i!]!])),
    };
  },
  place: (draw) => {
    const [n, v] = [draw.size(), draw.size()];
    return {
      operands: [draw.floats([n, v]), draw.ids(n, v), draw.floats([n])],
      trace: place,
      reference: (base, ids, updates) =>
        fill([n, v], ([i, j]) => at(base!, [i!, j!]) + (ids!.data[i!] === j ? updates!.data[i!]! : 0)),
    };
  },
  layerNorm: (draw) => {
    // Rows of one element are constant 0 before weight and bias: allowed, and their gradient is 0.
    const shape = [...draw.shape(2), draw.size(6)];
    const width = shape.at(-1)!;
    const epsilon = draw.pick(1e-5, 0.1);
    return {
      operands: [apart(draw.floats(shape)), draw.floats([width]), draw.floats([width])],
      trace: (x, w, b) => layerNorm(x!, w!, b!, epsilon),
      reference: (x, w, b) =>
        zip(
          zip(
            rows(x!, (row) => normalized(row, epsilon, true)),
            w!,
            (u, v) => u * v,
          ),
          b!,
          (u, v) => u + v,
        ),
    };
  },
  rmsNorm: (draw) => {
    const shape = [...draw.shape(2), draw.size(6)];
    const epsilon = draw.pick(1e-5, 0.1);
    return {
      operands: [draw.floats(shape, 0.25), draw.floats([shape.at(-1)!])],
      trace: (x, w) => rmsNorm(x!, w!, epsilon),
      reference: (x, w) =>
        zip(
          rows(x!, (row) => normalized(row, epsilon, false)),
          w!,
          (u, v) => u * v,
        ),
    };
  },
  attention: (draw) => {
    const T = draw.size();
    const causal = draw.bool();
    const window = draw.pick(undefined, undefined, 1, 2, 3);
    const far = window === undefined ? draw.size() : T;
    const [S, B, H, D] = [causal ? T + draw.pick(0, 0, 1, 3) : far, draw.size(2), draw.size(3), draw.size()];
    const options = { causal, window, scale: draw.pick(undefined, 0.3), softcap: draw.pick(undefined, 0.7, 5) };
    const operands = [draw.floats([T, B, H, D]), draw.floats([S, B, H, D]), draw.floats([S, B, H, D])];
    const masks: Operand[] = draw.bool() ? [{ ...draw.floats([B, 1, T, S]), fixed: true }] : [];
    const biases: Operand[] = draw.bool() ? [draw.floats([H, T, S])] : [];
    // As dropout has them: of some keys nothing is left.
    const kept = draw.floats([B, H, T, S]);
    const dropped = { ...kept, data: kept.data.map((u) => (u < -1 ? 0 : 1.5)), fixed: true };
    const factors: Operand[] = draw.bool() ? [dropped] : [];
    const split = <X>(terms: X[]) => ({
      ...(masks.length > 0 && { mask: terms[0]! }),
      ...(biases.length > 0 && { bias: terms[masks.length]! }),
      ...(factors.length > 0 && { factors: terms.at(-1)! }),
    });
    return {
      operands: [...operands, ...masks, ...biases, ...factors],
      trace: (q, k, v, ...terms) => {
        const { mask, bias, factors: drawn } = split(terms);
        return attention(q!, k!, v!, { ...options, bias }, mask, drawn && (() => drawn));
      },
      reference: (q, k, v, ...terms) => attend(q!, k!, v!, options, split(terms)),
    };
  },
  dropoutFactors: (draw) => {
    const shape = draw.shape(4, 1);
    const columns = shape.at(-1)!;
    const rate = draw.pick(0.1, 0.5, 0.9);
    return {
      operands: [draw.oddInt32s(shape.slice(0, -1).reduce((a, b) => a * b, 1)), draw.oddInt32s(columns)],
      trace: (r, c) => dropoutFactors(r!, c!, shape, rate),
      reference: (r, c) => {
        const data = Float64Array.from({ length: r!.data.length * columns }, (_, i) => {
          const hash = Math.imul(r!.data[Math.floor(i / columns)]!, c!.data[i % columns]!);
          return hash < Math.round(rate * 2 ** 32) - 2 ** 31 ? 0 : 1 / (1 - rate);
        });
        return { shape, data };
      },
    };
  },
  rotary: (draw) => {
    const [T, B, H, half] = [draw.size(), draw.size(2), draw.size(3), draw.size(3)];
    const tables = draw.pick(1, B);
    const angles = draw.floats([T, tables, 1, half], 0, 6);
    const table = (f: (angle: number) => number) => ({
      ...angles,
      fixed: true,
      data: angles.data.map((v) => Math.fround(f(v))),
    });
    return {
      operands: [draw.floats([T, B, H, 2 * half]), table(Math.cos), table(Math.sin)],
      trace: rotary,
      reference: (x, cos, sin) =>
        fill(x!.shape, ([t, b, h, d]) => {
          const i = d! % half;
          const place = [t!, tables === 1 ? 0 : b!, 0, i];
          const [c, s] = [at(cos!, place), at(sin!, place)];
          const [p, q] = [at(x!, [t!, b!, h!, i]), at(x!, [t!, b!, h!, i + half])];
          return d! < half ? p * c - q * s : q * c + p * s;
        }),
    };
  },
  crossEntropy: (draw) => {
    const [n, v] = [draw.size(6), draw.size(6)];
    return {
      operands: [draw.floats([n, v], -5, 5), draw.ids(n, v)],
      trace: (logits, ids) => crossEntropy(logits!, ids!),
      reference: (logits, ids) => fill([n], ([i]) => costOf(logits!, i!, ids!.data[i!]!)),
    };
  },
  linearCrossEntropy: (draw) => {
    const [n, c, v] = [draw.size(6), draw.size(), draw.size(6)];
    const chunk = draw.pick(undefined, 1, 2, 4);
    const softcap = draw.pick(undefined, 0.8, 4);
    return {
      operands: [
        ...[draw.floats([n, c]), draw.floats([v, c]), draw.ids(n, v)],
        ...(draw.bool() ? [{ ...draw.floats([n]), fixed: true }] : []),
      ],
      trace: (x, w, ids, weights) => linearCrossEntropy(x!, w!, ids!, { chunk, softcap, weights }),
      reference: (x, w, ids, weights) => {
        const plain = product(x!, swapped(w!));
        const bent = (value: number) => (softcap === undefined ? value : softcap * Math.tanh(value / softcap));
        const logits = { ...plain, data: plain.data.map(bent) };
        const total = sum(n, (i) => costOf(logits, i, ids!.data[i]!) * (weights?.data[i] ?? 1));
        return { shape: [], data: Float64Array.of(total / n) };
      },
    };
  },
  linearDistillation: (draw) => {
    const [n, c, d, v] = [draw.size(6), draw.size(), draw.size(), draw.size(6)];
    const options = {
      share: draw.pick(0, 0.3, 1),
      temperature: draw.pick(0.7, 1, 2.5),
      chunk: draw.pick(undefined, 1, 2, 4),
      softcap: draw.pick(undefined, 0.8, 4),
      teacherSoftcap: draw.pick(undefined, 1.5),
    };
    const { share, temperature, softcap, teacherSoftcap } = options;
    const fixed = (x: Operand): Operand => ({ ...x, fixed: true });
    // At times the teacher does not know all that the student does.
    const known = draw.pick(v, v, Math.max(1, v - 1));
    return {
      operands: [
        ...[draw.floats([n, c]), draw.floats([v, c]), draw.ids(n, v)],
        ...[fixed(draw.floats([n, d])), fixed(draw.floats([known, d]))],
        ...(draw.bool() ? [fixed(draw.floats([n]))] : []),
      ],
      trace: (x, w, ids, t, u, weights) => linearDistillation(x!, w!, ids!, t!, u!, { ...options, weights }),
      reference: (x, w, ids, t, u, weights) => {
        const scored = (a: Values, b: Values, cap: number | undefined) => {
          const plain = product(a, swapped(b));
          return { ...plain, data: plain.data.map((z) => (cap === undefined ? z : cap * Math.tanh(z / cap))) };
        };
        const [student, teacher] = [scored(x!, w!, softcap), scored(t!, u!, teacherSoftcap)];
        const probabilities = (scores: Values, i: number) =>
          softmaxRow(Array.from({ length: scores.shape[1]! }, (_, j) => at(scores, [i, j]) / temperature));
        const total = sum(n, (i) => {
          const [p, q] = [probabilities(teacher, i), probabilities(student, i)];
          const apart = sum(known, (j) => p[j]! * Math.log(p[j]! / q[j]!));
          const cost = (1 - share) * costOf(student, i, ids!.data[i]!) + share * temperature ** 2 * apart;
          return cost * (weights?.data[i] ?? 1);
        });
        return { shape: [], data: Float64Array.of(total / n) };
      },
    };
  },
};
