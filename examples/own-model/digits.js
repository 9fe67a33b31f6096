// A model of one's own: which digit is a handwritten one? Two layers, 64 pixels to 10 classes; see train.js.
import { readFile } from 'node:fs/promises';
import { defineArchitecture, defineObjective, defineSamples } from 'meanfield';
import { crossEntropy, gemm, reduceSum, silu } from 'meanfield/graph';

const [PIXELS, WIDTH, CLASSES] = [64, 48, 10];

/** Inputs [B, 64], scores [B, 10]. */
export const architecture = defineArchitecture({
  name: 'digits-mlp',
  parameters: [
    { name: 'hidden.weight', shape: [PIXELS, WIDTH], initialization: { normal: PIXELS ** -0.5 } },
    { name: 'hidden.bias', shape: [WIDTH], initialization: { fill: 0 } },
    { name: 'output.weight', shape: [WIDTH, CLASSES], initialization: { normal: WIDTH ** -0.5 } },
    { name: 'output.bias', shape: [CLASSES], initialization: { fill: 0 } },
  ],
  forward(parameters, pixels) {
    const hidden = silu(gemm(pixels, parameters['hidden.weight'], parameters['hidden.bias']));
    return gemm(hidden, parameters['output.weight'], parameters['output.bias']);
  },
});

export const objective = defineObjective({
  name: 'digit',
  feeds: { pixels: { shape: [PIXELS] }, digit: { shape: [], dtype: 'int64' } },
  feed: (/** @type {{ pixels: number[], digit: number }} */ sample) => sample,
  // The sum over the micro-batch; Meanfield divides it by the number of samples.
  loss: (forward, { pixels, digit }) => reduceSum(crossEntropy(forward(pixels), digit), [0]),
});

/** 1,797 images of 8 × 8 pixels with 17 shades, `0` to `g`; every fifth is held out. */
export const samples = defineSamples(async () => {
  const text = await readFile(new URL('./digits.txt', import.meta.url), 'utf8');
  const all = text
    .trimEnd()
    .split('\n')
    .map((line) => ({
      pixels: Array.from(line.slice(0, PIXELS), (shade) => Number.parseInt(shade, 17) / 16),
      digit: Number(line.slice(PIXELS)),
    }));
  return { training: all.filter((_, i) => i % 5 !== 0), validation: all.filter((_, i) => i % 5 === 0) };
});
