/**
 * The TensorFlow.js peer: trains a GPT on the WASM backend and prints one JSON line of figures, as torch_train.py does.
 *
 * npm ci --ignore-scripts --prefix bench/peers
 * node bench/peers/tfjs-train.mjs --layers 4 --width 256 --heads 4 --context 256 --batch 4 --vocab 4096 --data text.txt
 *
 * Adam without weight decay and without clipping: TensorFlow.js has neither, and leaving them out is in its favour.
 * --products builtin takes the library's own matrix products and gradients; fast (the default) is our kinder version of
 * them, about ten times faster (see tfjs-gpt.mjs).
 * Node gets SIMD but one thread: the package's own check refuses threads in Node (tensorflow/tfjs issue 3830).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { getThreadsCount, setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { createLoss, createParameters, productKinds } from './tfjs-gpt.mjs';

const DEFAULTS = {
  layers: 4,
  width: 128,
  heads: 4,
  context: 64,
  batch: 12,
  vocab: 65,
  threads: 2,
  steps: 20,
  warmup: 2,
  blocks: 5,
  lr: 0.001,
  seed: 1337,
};

function readOptions() {
  const options = Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, { type: 'string', default: String(value) }]),
  );
  const { values } = parseArgs({
    options: { ...options, data: { type: 'string' }, products: { type: 'string', default: 'fast' } },
  });
  const numbers = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, Number(values[name])]));
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0)) throw new Error(`--${name} must be a number above 0, got ${values[name]}`);
  }
  if (!productKinds.includes(values.products)) {
    throw new Error(`--products must be one of ${productKinds.join(', ')}, got ${values.products}`);
  }
  if (values.data === undefined) throw new Error('--data FILE is missing: a text to train on');
  if (numbers.width % numbers.heads)
    throw new Error(`--width ${numbers.width} is not divisible by --heads ${numbers.heads}`);
  return { ...numbers, data: values.data, products: values.products };
}

/** Real text as token ids below `vocab`, exactly as torch_train.py makes them. */
function tokensOf(data, vocab) {
  if (vocab > 256) {
    return Int32Array.from(
      { length: data.length >> 1 },
      (_, i) => ((data[2 * i] * 256 + data[2 * i + 1]) * 40503) % vocab,
    );
  }
  const rank = new Map([...new Set(data)].sort((a, b) => a - b).map((byte, i) => [byte, i % vocab]));
  return Int32Array.from(data, (byte) => rank.get(byte));
}

/** Windows at random places (a 32-bit linear congruential generator: reproducible, and good enough to pick places). */
function createSampler(tokens, { batch, context, seed }) {
  let state = seed >>> 0;
  return () => {
    const ids = new Int32Array(batch * context);
    const targets = new Int32Array(batch * context);
    for (let row = 0; row < batch; row++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const start = Math.floor((state / 2 ** 32) * (tokens.length - context));
      ids.set(tokens.subarray(start, start + context), row * context);
      targets.set(tokens.subarray(start + 1, start + 1 + context), row * context);
    }
    return [tf.tensor2d(ids, [batch, context], 'int32'), tf.tensor2d(targets, [batch, context], 'int32')];
  };
}

async function main() {
  const options = readOptions();
  setThreadsCount(options.threads);
  await tf.setBackend('wasm');
  await tf.ready();
  const parameters = createParameters(options);
  const variables = Object.values(parameters);
  const loss = createLoss(parameters, options);
  const sample = createSampler(tokensOf(readFileSync(options.data), options.vocab), options);
  const optimizer = tf.train.adam(options.lr, 0.9, 0.95, 1e-8);
  const step = () => {
    const [ids, targets] = sample();
    const cost = optimizer.minimize(() => loss(ids, targets), true, variables);
    const value = cost.dataSync()[0];
    tf.dispose([ids, targets, cost]);
    return value;
  };

  const firstLoss = step();
  for (let i = 1; i < options.warmup; i++) step();
  const perBlock = Math.max(1, Math.floor(options.steps / options.blocks));
  const blocks = [];
  let lastLoss = firstLoss;
  for (let block = 0; block < options.blocks; block++) {
    const before = performance.now();
    for (let i = 0; i < perBlock; i++) lastLoss = step();
    blocks.push((performance.now() - before) / perBlock);
  }
  blocks.sort((a, b) => a - b);
  const ms = blocks[blocks.length >> 1];
  const count = variables.reduce((sum, variable) => sum + variable.size, 0);
  const { layers, width, batch, context } = options;
  const flops = batch * context * (6 * (count - context * width) + 12 * layers * width * context);
  console.log(
    JSON.stringify({
      peer: 'tensorflow.js',
      version: tf.version.tfjs,
      mode: tf.env().get('WASM_HAS_SIMD_SUPPORT') ? 'wasm-simd' : 'wasm',
      products: options.products,
      threads: (await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) ? getThreadsCount() : 1,
      tokens_per_second: (1000 * batch * context) / ms,
      ms_per_step: ms,
      min_ms_per_step: blocks[0],
      max_ms_per_step: blocks[blocks.length - 1],
      gflops: flops / ms / 1e6,
      parameters: count,
      first_loss: firstLoss,
      last_loss: lastLoss,
      steps: perBlock * options.blocks,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    }),
  );
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
