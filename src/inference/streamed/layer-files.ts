import { MeanfieldError } from '../../base/errors.js';
import { DTYPE_BYTES } from '../../base/safetensors-dtype.js';
import { parseTokenizer } from '../../data/index.js';
import type { LoadedModel } from '../../hub/load-model.js';
import { copyFault, textFiles } from '../../hub/match-model.js';
import { adapterPlace, openModel } from '../../hub/open-model.js';
import { type TensorRanges, tensorRanges } from '../../hub/tensor-ranges.js';
import type { BaseTensors } from '../../training/streamed/adapter/base-sections.js';

/** A model whose files stay open: its layers are read from them one by one. */
export interface LayerFiles {
  /** What it reads and writes text by; of its parameters nothing is in memory. */
  readonly loaded: Omit<LoadedModel, 'parameters'>;
  readonly tensors: BaseTensors;
  /** Bytes of a parameter in its file. */
  bytesOf(name: string): number;
}

/** Elements that are compared at a time. */
const PIECE = 2 ** 20;

/**
 * Opens a model to read its layers one by one; close its `tensors` at the end.
 *
 * @throws MeanfieldError when a file is missing, damaged or no safetensors, and for an adapter
 */
export async function openLayers(run: string): Promise<LayerFiles> {
  if ((await adapterPlace(run)) !== undefined)
    throw new MeanfieldError(
      `${run} is an adapter, which can only be joined with its base in memory: export it, and take what comes of that.`,
    );
  const opened = await openModel(run);
  try {
    const { path, tokenizerFiles, generationConfig } = opened;
    const ranges = tensorRanges(opened, run);
    const { model, notices, dtypeOf, readRange } = ranges;
    const tokenizer = await parseTokenizer(textFiles(tokenizerFiles, path), path);
    const found = await ranges.fingerprint();
    const check = async () => {
      if ((await ranges.fingerprint()) === found) return;
      throw new MeanfieldError(
        `${path} was changed while it was read layer by layer: its files have another size or time of change. What came ` +
          'of it is no one model’s. Begin again, with files that stay as they are.',
      );
    };
    await checkCopies(path, ranges);
    const sizes = new Map(model.layout.entries.map(({ name, size }) => [name, size]));
    return {
      loaded: { model, tokenizer, tokenizerFiles, ...(generationConfig && { generationConfig }), notices },
      tensors: { dtypeOf, readRange, check, close: () => opened.close() },
      bytesOf: (name) => sizes.get(name)! * DTYPE_BYTES[dtypeOf(name)],
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** @throws MeanfieldError where two tensors differ that are one parameter */
async function checkCopies(path: string, { model, copied, dtypeOf, readRange }: TensorRanges): Promise<void> {
  for (const { name, copies } of copied) {
    const bytes = DTYPE_BYTES[dtypeOf(name)] * model.layout.entries.find((entry) => entry.name === name)!.size;
    const [one, other] = [0, 1].map(() => Buffer.alloc(Math.min(bytes, PIECE))) as [Buffer, Buffer];
    for (let copy = 0; copy < copies.length; copy++)
      for (let from = 0; from < bytes; from += PIECE) {
        const length = Math.min(PIECE, bytes - from);
        await readRange(name, from, one.subarray(0, length));
        await readRange(name, from, other.subarray(0, length), copy);
        if (one.compare(other, 0, length, 0, length) !== 0) throw copyFault(path, name, copies[copy]!);
      }
  }
}
