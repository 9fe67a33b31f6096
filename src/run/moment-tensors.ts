import type { SafetensorsFile } from '../base/files/safetensors.js';
import type { StorableTensor } from '../base/safetensors-writer.js';
import { isFewBits, type Moment } from '../training/moments.js';

/** What a checkpoint keeps of a moment: bfloat16 as such, so that other programs read it too; codes beside their scales. */
export function momentTensors(name: string, moment: Moment): StorableTensor[] {
  const tensor = (name: string, data: StorableTensor['data']) => ({ name, shape: [data.length], data });
  if (!isFewBits(moment)) return [tensor(name, moment)];
  const { values, scales } = moment;
  return [tensor(name, values), ...(scales ? [tensor(scalesOf(name), scales)] : [])];
}

const scalesOf = (name: string): string => `${name}.scales`;

/**
 * A moment out of a checkpoint, as it was kept.
 *
 * @throws MeanfieldError when it is not there, or of another size
 */
export async function readMoment(file: SafetensorsFile, name: string, size: number): Promise<Moment> {
  const { dtype, length } = file.info(name);
  // Whose message says what is wrong with its length.
  if (length !== size || (dtype !== 'BF16' && dtype !== 'U8')) return file.readFloat32(name, new Float32Array(size));
  const bytes = await file.readBytes(name);
  if (dtype === 'U8') return { values: bytes, scales: await file.readFloat32(scalesOf(name)) };
  return { values: new Uint16Array(bytes.buffer, bytes.byteOffset, size) };
}
