import { MeanfieldError } from '../base/errors.js';
import { sha256 } from '../base/hash.js';
import { FLOAT_DTYPES, type FloatDtype } from '../base/safetensors-dtype.js';
import type { TensorInfo } from '../base/safetensors-header.js';
import type { Model } from '../model/model.js';
import { matchModel } from './match-model.js';
import type { ModelFolder } from './model-folder.js';

/** A model whose files are open, of which bytes are read by the names of its parameters. */
export interface TensorRanges {
  readonly model: Model;
  /** What the user should be told: keys and tensors that nothing here reads. */
  readonly notices: readonly string[];
  /** Parameters that the files hold more than once in the same numbers. */
  readonly copied: readonly { readonly name: string; readonly copies: readonly string[] }[];
  /** What a parameter is stored as. */
  dtypeOf(name: string): FloatDtype;
  /**
   * Bytes of a parameter as they lie in the file, from one of its own on.
   *
   * @param copy of a parameter that is there more than once, which of the others
   * @throws MeanfieldError when the file has become shorter
   */
  readRange(name: string, from: number, target: Uint8Array, copy?: number): Promise<void>;
  /** A hash of what the files are: their headers, sizes and times of change. */
  fingerprint(): Promise<string>;
}

/**
 * How a model's parameters are read from its files piece by piece.
 *
 * @param name what the user called it
 * @throws MeanfieldError when the files are no safetensors, not of floating point or not those of the configuration
 */
export function tensorRanges({ config, path, weights }: ModelFolder, name: string): TensorRanges {
  const { readRange } = weights;
  if (readRange === undefined)
    throw new MeanfieldError(`${path} holds no safetensors, of which alone layers are read one by one.`);
  const { model, tensors, notices } = matchModel(config, weights, { name, path });
  const infoOf = (tensor: string) => weights.tensors.get(tensor) as TensorInfo;
  const stored = new Map(tensors.map(({ entry, name }) => [entry.name, infoOf(name)]));
  const alike = (one: string, other: string) => infoOf(one).dtype === infoOf(other).dtype;
  const copies = new Map(
    tensors.map(({ entry, name, copies }) => [entry.name, copies.filter((copy) => alike(name, copy))]),
  );
  for (const { name, dtype } of tensors.flatMap(({ name, copies }) => [name, ...copies].map(infoOf)))
    if (!(FLOAT_DTYPES as readonly string[]).includes(dtype))
      throw new MeanfieldError(
        `${weights.path}: tensor ${name} is ${dtype}, expected one of ${FLOAT_DTYPES.join(', ')}.`,
      );
  // Where a file lies is not told by: whoever copies a model with its times may go on.
  const now = async () => (await weights.state()).split('\n').map((state) => state.split(' ').slice(2, 4));
  const header = [...stored].map(([name, { dtype, shape, start }]) => [name, dtype, shape, start]);
  return {
    ...{ model, notices },
    copied: [...copies].flatMap(([name, all]) => (all.length > 0 ? [{ name, copies: all }] : [])),
    dtypeOf: (name) => stored.get(name)!.dtype as FloatDtype,
    readRange: (name, from, target, copy) =>
      readRange.call(weights, copy === undefined ? stored.get(name)!.name : copies.get(name)![copy]!, from, target),
    fingerprint: async () => sha256(JSON.stringify([config, header, await now()])),
  };
}
