/**
 * A GPT-2 step in TensorFlow.js: the same model as torch_gpt.py. Shapes: B batch, T tokens, C width, H heads, D = C / H,
 * S = B · H, V vocabulary.
 */
import * as tf from '@tensorflow/tfjs';

/** Parameters as variables, initialised as GPT-2's, from a seed. */
export function createParameters({ layers, width, context, vocab, seed }) {
  const parameters = {};
  let index = 0;
  const matrix = (name, shape, deviation = 0.02) => {
    parameters[name] = tf.variable(tf.randomNormal(shape, 0, deviation, 'float32', seed + index++), true, name);
  };
  const vector = (name, size, value) => {
    parameters[name] = tf.variable(tf.fill([size], value), true, name);
  };
  matrix('wte', [vocab, width]);
  matrix('wpe', [context, width]);
  // Layers that write to the residual stream start smaller (Radford et al. 2019).
  const small = 0.02 / Math.sqrt(2 * layers);
  const linear = (name, inputs, outputs, deviation) => {
    matrix(`${name}.weight`, [inputs, outputs], deviation);
    vector(`${name}.bias`, outputs, 0);
  };
  const norm = (name) => {
    vector(`${name}.weight`, width, 1);
    vector(`${name}.bias`, width, 0);
  };
  for (let layer = 0; layer < layers; layer++) {
    norm(`h.${layer}.ln_1`);
    linear(`h.${layer}.attn.c_attn`, width, 3 * width);
    linear(`h.${layer}.attn.c_proj`, width, width, small);
    norm(`h.${layer}.ln_2`);
    linear(`h.${layer}.mlp.c_fc`, width, 4 * width);
    linear(`h.${layer}.mlp.c_proj`, 4 * width, width, small);
  }
  norm('ln_f');
  return parameters;
}

/**
 * Matrix product of [M, K] and [K, N]. The WASM backend sends only an untransposed product of two matrices to XNNPACK
 * (26 GFLOP/s on the machine where this was measured) and any other to a naive loop (0.4 to 2.3), and the built-in gradient
 * asks for the latter: hence transposes written out here.
 */
const fastMatMul = tf.customGrad((a_MK, b_KN, save) => {
  save([a_MK, b_KN]);
  return {
    value: tf.matMul(a_MK, b_KN),
    gradFunc: (dy_MN, [a, b]) => [tf.matMul(dy_MN, tf.transpose(b)), tf.matMul(tf.transpose(a), dy_MN)],
  };
});

/** The same for stacks [S, M, K] and [S, K, N], matrix by matrix for the same reason. */
const fastStackedMatMul = tf.customGrad((a_SMK, b_SKN, save) => {
  save([a_SMK, b_SKN]);
  const each = (a, b, combine) => {
    const matrices = tf.unstack(b);
    return tf.stack(tf.unstack(a).map((matrix, i) => combine(matrix, matrices[i])));
  };
  return {
    value: each(a_SMK, b_SKN, (a, b) => tf.matMul(a, b)),
    gradFunc: (dy_SMN, [a_, b_]) => [
      each(dy_SMN, b_, (dy, b) => tf.matMul(dy, tf.transpose(b))),
      each(a_, dy_SMN, (a, dy) => tf.matMul(tf.transpose(a), dy)),
    ],
  };
});

/** Rows of `table` [V, C] by a product with one-hot rows [N, V]: Gather has no gradient on this backend. */
function fastEmbed(oneHot_NV, table_VC) {
  return tf.customGrad((table, save) => {
    save([oneHot_NV]);
    return {
      value: tf.matMul(oneHot_NV, table),
      gradFunc: (dy_NC, [oneHot]) => tf.matMul(tf.transpose(oneHot), dy_NC),
    };
  })(table_VC);
}

/** The products of a step: `fast` as above, `builtin` as the library's manual would have them. */
const PRODUCTS = {
  fast: { matMul: fastMatMul, stackedMatMul: fastStackedMatMul, embed: fastEmbed },
  builtin: { matMul: tf.matMul, stackedMatMul: tf.matMul, embed: tf.matMul },
};

export const productKinds = Object.keys(PRODUCTS);

/** Mean cross-entropy in nats with its short gradient, softmax − one-hot: kinder than composing it of primitives. */
function crossEntropy(logits_NV, oneHot_NV) {
  return tf.customGrad((logits, save) => {
    const shifted = tf.sub(logits, tf.max(logits, 1, true));
    const logProbabilities = tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true)));
    const rows = logits.shape[0];
    save([logProbabilities, oneHot_NV]);
    return {
      value: tf.neg(tf.div(tf.sum(tf.mul(oneHot_NV, logProbabilities)), rows)),
      gradFunc: (dy, [savedLog, savedOneHot]) => tf.mul(tf.sub(tf.exp(savedLog), savedOneHot), tf.div(dy, rows)),
    };
  })(logits_NV);
}

/** The loss of ids and targets, both int32 [B, T], as a function of the parameters. */
export function createLoss(parameters, { layers, width, heads, context, vocab, products }) {
  const { matMul, stackedMatMul, embed } = PRODUCTS[products];
  const headWidth = width / heads;
  const hidden = Array.from({ length: context * context }, (_, i) =>
    i % context > Math.floor(i / context) ? -1e9 : 0,
  );
  const mask_TT = tf.keep(tf.tensor(hidden, [1, context, context]));
  const oneHot = (ids) => tf.cast(tf.oneHot(tf.reshape(ids, [-1]), vocab), 'float32');

  const linear = (x, name) => tf.add(matMul(x, parameters[`${name}.weight`]), parameters[`${name}.bias`]);
  const norm = (x, name) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5));
    return tf.add(tf.mul(tf.mul(centred, scale), parameters[`${name}.weight`]), parameters[`${name}.bias`]);
  };
  const gelu = (x) => {
    const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  };
  const attention = (x, batch, name) => {
    const [q, k, v] = tf
      .split(linear(x, `${name}.c_attn`), 3, 1)
      .map((part) => tf.reshape(part, [batch, context, heads, headWidth]));
    const stack = (part, order, shape) => tf.reshape(tf.transpose(part, order), [batch * heads, ...shape]);
    const q_STD = stack(q, [0, 2, 1, 3], [context, headWidth]);
    const k_SDT = stack(k, [0, 2, 3, 1], [headWidth, context]);
    const v_STD = stack(v, [0, 2, 1, 3], [context, headWidth]);
    const scores_STT = tf.add(tf.mul(stackedMatMul(q_STD, k_SDT), 1 / Math.sqrt(headWidth)), mask_TT);
    const mixed_STD = stackedMatMul(tf.softmax(scores_STT), v_STD);
    const mixed = tf.transpose(tf.reshape(mixed_STD, [batch, heads, context, headWidth]), [0, 2, 1, 3]);
    return linear(tf.reshape(mixed, [batch * context, width]), `${name}.c_proj`);
  };

  return (ids, targets) => {
    const batch = ids.shape[0];
    const embedded = tf.reshape(embed(oneHot(ids), parameters.wte), [batch, context, width]);
    let x = tf.reshape(tf.add(embedded, parameters.wpe), [batch * context, width]);
    for (let layer = 0; layer < layers; layer++) {
      x = tf.add(x, attention(norm(x, `h.${layer}.ln_1`), batch, `h.${layer}.attn`));
      const inner = gelu(linear(norm(x, `h.${layer}.ln_2`), `h.${layer}.mlp.c_fc`));
      x = tf.add(x, linear(inner, `h.${layer}.mlp.c_proj`));
    }
    const logits = matMul(norm(x, 'ln_f'), tf.transpose(parameters.wte));
    return crossEntropy(logits, oneHot(targets));
  };
}
