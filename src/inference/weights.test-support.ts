import type { Model } from '../model/model.js';
import { CODES, SCALES, type Stored, type Weights } from './weights.js';

/** The model's vector with the values that weights in few bits stand for. */
export function expanded(model: Model, parameters: Float32Array, { constants, products, tables }: Weights) {
  const all = parameters.slice();
  const views = model.layout.views(all);
  const fill = (name: string, stored: Stored, at: number, rowsOfOutputs: boolean) => {
    const { bits, block, inputs, outputs } = stored;
    const codes = constants.get(stored.name + CODES) as Uint8Array;
    const scales = constants.get(stored.name + SCALES) as Float32Array;
    const padded = block * Math.ceil(inputs / block);
    const first = outputs.slice(0, at).reduce((sum, n) => sum + n, 0);
    for (let o = 0; o < outputs[at]!; o++)
      for (let i = 0; i < inputs; i++) {
        const place = (first + o) * padded + i;
        const code = bits === 8 ? codes[place]! - 128 : ((codes[place >> 1]! >> (4 * (place & 1))) & 15) - 8;
        views[name]![rowsOfOutputs ? o * inputs + i : i * outputs[at]! + o] = code * scales[Math.floor(place / block)]!;
      }
  };
  const byInputs = model.architecture.name === 'gpt2';
  for (const [name, { at, ...stored }] of products) fill(name, stored, at, !byInputs || tables.has(name));
  for (const [name, stored] of tables) fill(name, stored, 0, true);
  return all;
}
