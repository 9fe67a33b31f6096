/**
 * A GPT-2 step in TensorFlow.js: the same model as torch_gpt.py. Shapes: B batch, T tokens, C width, H heads, V vocabulary.
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

/** Mean cross-entropy in nats with its short gradient, softmax − one-hot: kinder than composing it of primitives. */
const crossEntropy = tf.customGrad((logits_NV, oneHot_NV, save) => {
  const shifted = tf.sub(logits_NV, tf.max(logits_NV, 1, true));
  const logSum = tf.log(tf.sum(tf.exp(shifted), 1, true));
  const logProbabilities = tf.sub(shifted, logSum);
  const rows = logits_NV.shape[0];
  save([logProbabilities, oneHot_NV]);
  const gradFunc = (dy, [savedLog, savedOneHot]) => [
    tf.mul(tf.sub(tf.exp(savedLog), savedOneHot), tf.div(dy, rows)),
    tf.zerosLike(savedOneHot),
  ];
  return { value: tf.neg(tf.div(tf.sum(tf.mul(oneHot_NV, logProbabilities)), rows)), gradFunc };
});

/** The loss of ids and targets, both int32 [B, T], as a function of the parameters. */
export function createLoss(parameters, { layers, width, heads, context, vocab }) {
  const headWidth = width / heads;
  const hidden = Array.from({ length: context * context }, (_, i) =>
    i % context > Math.floor(i / context) ? -1e9 : 0,
  );
  const mask_TT = tf.keep(tf.tensor(hidden, [1, 1, context, context]));
  const oneHot = (ids) => tf.cast(tf.oneHot(tf.reshape(ids, [-1]), vocab), 'float32');

  const linear = (x, name) => tf.add(tf.matMul(x, parameters[`${name}.weight`]), parameters[`${name}.bias`]);
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
      .map((part) => tf.transpose(tf.reshape(part, [batch, context, heads, headWidth]), [0, 2, 1, 3]));
    const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headWidth)), mask_TT);
    const mixed = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
    return linear(tf.reshape(mixed, [batch * context, width]), `${name}.c_proj`);
  };

  return (ids, targets) => {
    const batch = ids.shape[0];
    // TensorFlow.js has no gradient of Gather on this backend; a product with one-hot rows has one.
    const embedded = tf.reshape(tf.matMul(oneHot(ids), parameters.wte), [batch, context, width]);
    let x = tf.reshape(tf.add(embedded, parameters.wpe), [batch * context, width]);
    for (let layer = 0; layer < layers; layer++) {
      x = tf.add(x, attention(norm(x, `h.${layer}.ln_1`), batch, `h.${layer}.attn`));
      const inner = gelu(linear(norm(x, `h.${layer}.ln_2`), `h.${layer}.mlp.c_fc`));
      x = tf.add(x, linear(inner, `h.${layer}.mlp.c_proj`));
    }
    const logits = tf.matMul(norm(x, 'ln_f'), parameters.wte, false, true);
    return crossEntropy(logits, oneHot(targets));
  };
}
