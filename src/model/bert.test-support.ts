import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { attention, constant, input, type Tensor } from '../graph/index.js';
import type { Attend, TracedParameters } from './architecture.js';
import { bert } from './bert.js';
import { Model } from './model.js';

const fixture = new URL('../../test/fixtures/models/bert/', import.meta.url).pathname;

/** What the fixture's tensors are made for: sequences, and tokens of each. */
export const [B, T] = [3, 13];

export const int64s = (values: ArrayLike<number>) => BigInt64Array.from(values, (value) => BigInt(value));

/** The tiny BertForMaskedLM of `test/fixtures/models`, and what PyTorch computes for it. */
export async function openBert() {
  const config = bert.parse(JSON.parse(await readFile(`${fixture}config.json`, 'utf8')));
  const { layout } = Model.fromConfig(config);
  const weights = await SafetensorsFile.open(`${fixture}model.safetensors`);
  expect([...weights.tensors.keys()].sort()).toEqual(layout.entries.map(({ name }) => name).sort());
  const vector = new Float32Array(layout.size);
  for (const { name } of layout.entries) await weights.readFloat32(name, layout.views(vector)[name]!);
  await weights.close();

  const answers = await SafetensorsFile.open(`${fixture}expected.safetensors`);
  /** [B, T] of the file, time-major. */
  const timeMajor = async (name: string) => {
    const bytes = await answers.readBytes(name);
    const values = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    return Int32Array.from(values, (_, i) => values[(i % B) * T + Math.floor(i / B)]!);
  };
  const targets = [...(await timeMajor('targets')).entries()];
  return {
    config,
    layout,
    answers,
    views: layout.views(vector),
    ids: int64s(await timeMajor('input_ids')),
    /** Rows of the hidden state whose tokens are to be told, and those. */
    told: targets.filter(([, target]) => target >= 0),
  };
}

export type OpenBert = Awaited<ReturnType<typeof openBert>>;

/** Its parameters and hidden state, [N, C], with the input `ids`. */
export function traceBert({ config, layout }: OpenBert): { p: TracedParameters; x_NC: Tensor } {
  const p = Object.fromEntries(layout.entries.map(({ name, shape }) => [name, input(name, shape)]));
  const attend: Attend = (_layer, q, k, v) => attention(q, k, v, { causal: false });
  const positions_T = constant(int64s([...Array(T).keys()]), [T]);
  const inputs = { ids_N: input('ids', [B * T], 'int64'), batch: B, positions_T, attend };
  let x_NC = bert.embed(config, p, inputs);
  for (let i = 0; i < config.num_hidden_layers; i++) x_NC = bert.block(config, p, i, x_NC, inputs);
  return { p, x_NC: bert.final(config, p, x_NC) };
}

/** The largest difference relative to the largest expected value. */
export function difference(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  expect(actual.length).toBe(reference.length);
  let [worst, largest] = [0, 1e-12];
  for (let i = 0; i < reference.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - reference[i]!));
    largest = Math.max(largest, Math.abs(reference[i]!));
  }
  return worst / largest;
}

/** @param gradients of the mean loss, by the parameters' names */
export async function expectGradients(
  { layout, answers }: OpenBert,
  gradients: Readonly<Record<string, Float32Array>>,
): Promise<void> {
  for (const { name } of layout.entries) {
    // Softmax ignores a constant added to a row: the true gradient of a key's bias is 0, what stands there is rounding.
    if (name.endsWith('self.key.bias')) expect(Math.max(...gradients[name]!.map(Math.abs)), name).toBeLessThan(1e-5);
    else expect(difference(gradients[name]!, await answers.readFloat32(`gradient.${name}`)), name).toBeLessThan(1e-4);
  }
}
