import { expect } from 'vitest';
import type { SafetensorsFile } from '../base/files/safetensors.js';
import { constant, reduceSum, scale, type Tensor } from '../graph/index.js';
import { int64s } from './bert.test-support.js';
import type { ParameterLayout } from './layout.js';

/** Ids known when a graph is traced. */
export const ids = (values: readonly number[]): Tensor => constant(int64s(values), [values.length]);

/** The mean of a vector. */
export const mean = (x: Tensor): Tensor => scale(reduceSum(x, [0]), 1 / x.shape[0]!);

/** The weights that a fixture of Python's holds beside its answers: by names and shapes those of a model. */
export async function storedWeights(
  file: SafetensorsFile,
  layout: ParameterLayout,
): Promise<Record<string, Float32Array>> {
  const stored = [...file.tensors.keys()].filter((key) => key.startsWith('weights.'));
  expect(stored.map((key) => key.slice('weights.'.length)).sort()).toEqual(layout.entries.map((e) => e.name).sort());
  const views: Record<string, Float32Array> = {};
  for (const entry of layout.entries) {
    expect(file.info(`weights.${entry.name}`).shape, entry.name).toEqual(entry.shape);
    views[entry.name] = await file.readFloat32(`weights.${entry.name}`);
  }
  return views;
}

/** Integers of a fixture. */
export async function storedInts(file: SafetensorsFile, key: string): Promise<Int32Array> {
  const bytes = await file.readBytes(key);
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/** Integers [batch, length] of a fixture, time-major. */
export async function timeMajorInts(
  file: SafetensorsFile,
  key: string,
  batch: number,
  length: number,
): Promise<Int32Array> {
  const values = await storedInts(file, key);
  return values.map((_, i) => values[(i % batch) * length + Math.floor(i / batch)]!);
}
