/*
 * A model that is read from its own files tensor by tensor: the base of an adapter that is trained beside a model on disk, of
 * which the run keeps no copy, so that it must find the files as they were; and what a model begins with that is trained
 * layer by layer.
 */
import { MeanfieldError } from '../base/errors.js';
import { adapterPlace, openModel } from '../hub/open-model.js';
import { tensorRanges } from '../hub/tensor-ranges.js';
import type { ParameterPiece } from '../model/layout.js';
import type { Model } from '../model/model.js';
import { BaseSections, type BaseTensors } from '../training/streamed/adapter/base-sections.js';

/** A base whose files are open. */
export interface OpenBase extends BaseTensors {
  readonly model: Model;
  /** Of what its files are: their headers, sizes and times of change. */
  readonly sha256: string;
}

/**
 * Opens a model's files to read layers from them.
 *
 * @param expected what its files were when the run began
 * @param check whether hashes that Meanfield wrote beside the weights are compared, for which all is read
 * @throws MeanfieldError when they are missing, damaged, of another format, or have changed
 */
export async function openBase(from: string, expected?: string, check = false): Promise<OpenBase> {
  if ((await adapterPlace(from)) !== undefined)
    throw new MeanfieldError(
      `${from} is an adapter, which can only be joined with its base in memory: export it, and train beside what comes ` +
        'of that, or train it further without a model on disk.',
    );
  const opened = await openModel(from, { check });
  try {
    const { path } = opened;
    const { model, dtypeOf, readRange, fingerprint } = tensorRanges(opened, from);
    const found = await fingerprint();
    const require = (one: string, then: string) => {
      if (one === then) return;
      throw new MeanfieldError(
        `${path} is no longer the model that the run was started from: its files have another size, time of change or ` +
          `header (${one.slice(0, 12)}, expected ${then.slice(0, 12)}). Restore them as they were, with their times, or ` +
          'start a new run.',
      );
    };
    if (expected !== undefined) require(found, expected);
    return {
      ...{ model, sha256: found, dtypeOf },
      readRange,
      check: async () => require(await fingerprint(), found),
      close: () => opened.close(),
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Whether a model's tensors can be read from its files one by one: it is no adapter, and has safetensors. */
export async function readsByTensors(from: string): Promise<boolean> {
  if ((await adapterPlace(from)) !== undefined) return false;
  const opened = await openModel(from);
  try {
    return opened.weights.readRange !== undefined;
  } finally {
    await opened.close();
  }
}

/**
 * All parameters of a model in its layout's order, some at a time: each piece is in the same array, which the next one fills
 * again.
 */
export async function* basePieces(base: OpenBase, most = 2 ** 20): AsyncGenerator<ParameterPiece> {
  const { entries } = base.model.layout;
  const sections = new BaseSections(base, []);
  const array = new Float32Array(Math.min(most, Math.max(0, ...entries.map(({ size }) => size))));
  for (const { name, size } of entries)
    for (let from = 0; from < size; from += most) {
      const values = array.subarray(0, Math.min(most, size - from));
      await sections.read({ name, from, size: values.length }, values);
      yield { name, from, values };
    }
}
