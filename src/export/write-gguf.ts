import { writeFileSynced } from '../base/files/atomic.js';
import { BFLOAT16_LIMIT, FLOAT16_LIMIT } from '../base/half-precision.js';
import { encodeGguf } from '../hub/gguf/encode.js';
import type { WritableType } from '../hub/gguf/quantize.js';
import { tensorBytes, writtenModel } from '../hub/gguf/write-model.js';
import type { ExportWriter } from './format.js';
import type { FORMATS } from './formats.js';
import { requireFits } from './write-hugging-face.js';

interface BlockType {
  readonly type: WritableType;
  /** From which |x| a number, or a block's scale, may become infinite. */
  readonly limit: number;
}

const TYPES: Readonly<Record<(typeof FORMATS)['gguf']['dtypes'][number], BlockType>> = {
  f32: { type: 'F32', limit: Number.POSITIVE_INFINITY },
  f16: { type: 'F16', limit: FLOAT16_LIMIT },
  bf16: { type: 'BF16', limit: BFLOAT16_LIMIT },
  q8_0: { type: 'Q8_0', limit: FLOAT16_LIMIT },
  q4_0: { type: 'Q4_0', limit: FLOAT16_LIMIT },
};

/** A model as one file of llama.cpp. */
export const writeGguf: ExportWriter = async (source, { place, dtype, told, notice }) => {
  const loaded = await source.load();
  const { type, limit } = TYPES[dtype as keyof typeof TYPES];
  const { layout } = loaded.model;
  const { metadata, tensors, notices } = writtenModel(loaded, type);
  const views = layout.views(loaded.parameters);
  requireFits(
    layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]! })),
    dtype,
    { limit, instead: 'f32' },
  );
  for (const message of notices) notice(message);
  const bytes = tensorBytes(tensors);
  function* watched(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
    let left = bytes;
    for (const piece of pieces) {
      const counted = Math.min(piece.length, left);
      left -= counted;
      told(counted, bytes);
      yield piece;
    }
  }
  await writeFileSynced(place, watched(encodeGguf(metadata, tensors)));
  return {};
};
