import { MeanfieldError, UsageError } from '../base/errors.js';
import type { SafetensorsFile } from '../base/files/safetensors.js';
import { spelledError } from '../base/spelling.js';
import { HEAD } from '../model/adapter.js';
import { Model } from '../model/model.js';
import type { FoundTensors } from './peft-tensors.js';

/*
 * A matrix that is both embedding and head, and what PEFT trained of it. With `ensure_weight_tying` both have one adapter, or
 * one copy, and stay one: the file holds it for both, the head's matrices the other way. Without it each has its own or none,
 * and the model has two matrices with the adapter.
 */

/** A matrix [rows, columns], row-major, the other way. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  return result;
}

/**
 * The model that an adapter's file is of: the given one, or where embedding and head are one matrix and the file has them
 * apart, one that has two.
 *
 * @returns `together`: what the file has of the head is the embedding's once more
 * @throws MeanfieldError when the architecture always has one
 */
export async function sameEnds(
  file: SafetensorsFile,
  { found, copies, saved }: FoundTensors,
  model: Model,
): Promise<{ readonly model: Model; readonly together: boolean }> {
  const tied = model.adaptableLayers().find((layer) => layer.tied);
  if (!tied) return { model, together: false };
  const of = <T>(map: ReadonlyMap<string, T>, end: string, suffix = '') =>
    [...map].find(([name]) => name === end + suffix || (end !== HEAD && `${end}${suffix}`.endsWith(`.${name}`)))?.[1];
  const [embedding, head] = [of(found, tied.name), of(found, HEAD)];
  const wholes = [tied.name, HEAD].map((end) => of(saved, end, '.weight'));
  const bases = [tied.name, HEAD].map((end) => of(copies, end));
  const same =
    (embedding === undefined) === (head === undefined) &&
    (!embedding ||
      !head ||
      ((await isOther(file, embedding.a, head.b)) && (await isOther(file, embedding.b, head.a)))) &&
    (await areEqual(file, wholes)) &&
    // Of an adapter beside the embedding alone PEFT writes the matrix as it was.
    (bases.includes(undefined) || (await areEqual(file, bases)));
  if (same) return { model, together: true };
  const apart = withTwoEnds(model);
  if (apart) return { model: apart, together: false };
  throw spelledError(
    MeanfieldError,
    ({ option }) =>
      `${file.path} has embedding and head apart, and a ${model.architecture.name} model has one matrix for both. Train it ` +
      `in Python with ensure_weight_tying=True in its LoraConfig, or here with ${option('targets', last(tied.name))}.`,
  );
}

const last = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** The same model with an embedding and a head of its own; undefined for an architecture that has no such. */
export function withTwoEnds(model: Model): Model | undefined {
  try {
    const apart = Model.fromConfig({ ...(model.config as object), tie_word_embeddings: false });
    return apart.adaptableLayers().some(({ tied }) => tied) ? undefined : apart;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** The vector of such a model from that of the one with one matrix. */
export function takeTwoEnds(model: Model, parameters: Float32Array): { model: Model; parameters: Float32Array } {
  const apart = withTwoEnds(model)!;
  const own = model.layout.views(parameters);
  const tied = model.adaptableLayers().find((layer) => layer.tied)!;
  const views = Object.fromEntries(
    apart.layout.entries.map(({ name }) => [name, own[name] ?? own[`${tied.name}.weight`]!]),
  );
  return { model: apart, parameters: apart.layout.fill(views) };
}

/** Whether two matrices are one, seen from both sides. */
async function isOther(file: SafetensorsFile, one: string, other: string): Promise<boolean> {
  const [rows, columns] = file.info(one).shape;
  if (file.info(other).shape.join() !== [columns, rows].join()) return false;
  const turned = transposed(await file.readFloat32(one), rows!, columns!);
  return sameValues(turned, await file.readFloat32(other));
}

/** Whether none is there, or both with the same values. */
async function areEqual(file: SafetensorsFile, [one, other]: readonly (string | undefined)[]): Promise<boolean> {
  if (one === undefined || other === undefined) return one === other;
  return sameValues(await file.readFloat32(one), await file.readFloat32(other));
}

const sameValues = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
