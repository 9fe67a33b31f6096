import type { SafetensorsFile } from '../base/files/safetensors.js';
import type { StorableTensor } from '../base/safetensors-writer.js';
import { isFewBits, type Moment } from '../training/moments.js';

/** What a checkpoint keeps of a moment: bfloat16 as such, so that other programs read it too. */
export function momentTensors(name: string, moment: Moment): StorableTensor[] {
  const data = isFewBits(moment) ? moment.values : moment;
  return [{ name, shape: [data.length], data }];
}

/**
 * A moment out of a checkpoint, as it was kept.
 *
 * @throws MeanfieldError when it is not there, or of another size
 */
export async function readMoment(file: SafetensorsFile, name: string, size: number): Promise<Moment> {
  const { dtype, length, bytes } = file.info(name);
  if (dtype !== 'BF16' || length !== size) return file.readFloat32(name, new Float32Array(size));
  const values = new Uint16Array(size);
  await file.readRange(name, 0, new Uint8Array(values.buffer, 0, bytes));
  return { values };
}
