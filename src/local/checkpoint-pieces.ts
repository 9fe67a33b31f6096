import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import type { ParameterLayout, ParameterPiece } from '../model/layout.js';

/** The moments' names, in a checkpoint too. */
export const MOMENTS = ['moment1', 'moment2'] as const;
/** Elements that are in memory at once. */
const AT_ONCE = 2 ** 20;

/**
 * A checkpoint's parameters and moments, read piece by piece. The arrays are filled again by the next.
 *
 * @param folder of a checkpoint whose bytes have been compared with their hashes
 * @throws MeanfieldError when it is of another model, or keeps its moments otherwise than as one vector of float32
 */
export async function checkpointPieces(
  folder: string,
  layout: ParameterLayout,
): Promise<readonly (readonly ['parameters' | (typeof MOMENTS)[number], AsyncGenerator<ParameterPiece>])[]> {
  const [model, optimizer] = ['model.safetensors', 'optimizer.safetensors'].map((name) => join(folder, name));
  await check(model!, new Map(layout.entries.map(({ name, shape }) => [name, shape])));
  await check(optimizer!, new Map(MOMENTS.map((name) => [name, [layout.size]])));
  return [
    ['parameters', pieces(model!, layout, ({ name }) => [name, 0])],
    ...MOMENTS.map((name) => [name, pieces(optimizer!, layout, ({ offset }) => [name, offset])] as const),
  ];
}

/** @throws MeanfieldError unless a file has just these tensors, in float32 */
async function check(path: string, shapes: ReadonlyMap<string, readonly number[]>): Promise<void> {
  const file = await SafetensorsFile.open(path);
  await file.close();
  for (const [name, shape] of shapes) {
    const found = file.info(name);
    if (found.dtype !== 'F32' || found.shape.join() !== shape.join())
      throw new MeanfieldError(
        `${path} has ${name} as ${found.dtype} of shape [${found.shape}]; expected F32 of shape [${shape}].`,
      );
  }
  const extra = [...file.tensors.keys()].filter((name) => !shapes.has(name));
  if (extra.length > 0)
    throw new MeanfieldError(`${path} has tensors that are not expected here: ${extra.slice(0, 5).join(', ')}.`);
}

/** @param placeOf the tensor that has an entry's values, and where in it they begin */
async function* pieces(
  path: string,
  { entries }: ParameterLayout,
  placeOf: (entry: ParameterLayout['entries'][number]) => readonly [string, number],
): AsyncGenerator<ParameterPiece> {
  const file = await SafetensorsFile.open(path);
  try {
    const array = new Float32Array(Math.min(AT_ONCE, Math.max(0, ...entries.map(({ size }) => size))));
    for (const entry of entries) {
      const [tensor, first] = placeOf(entry);
      for (let from = 0; from < entry.size; from += AT_ONCE) {
        const values = array.subarray(0, Math.min(AT_ONCE, entry.size - from));
        const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        await file.readRange(tensor, (first + from) * Float32Array.BYTES_PER_ELEMENT, bytes);
        yield { name: entry.name, from, values };
      }
    }
  } finally {
    await file.close();
  }
}
