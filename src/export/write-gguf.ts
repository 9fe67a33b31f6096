import { writeFileSynced } from '../base/files/atomic.js';
import { BFLOAT16_LIMIT, FLOAT16_LIMIT } from '../base/half-precision.js';
import { encodeGgufInPieces } from '../hub/gguf/encode.js';
import type { WritableType } from '../hub/gguf/quantize.js';
import { tensorBytes, type WrittenTensor, writtenModel } from '../hub/gguf/write-model.js';
import type { ExportWriter } from './format.js';
import type { FORMATS } from './formats.js';
import { Fit } from './write-hugging-face.js';

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

const NOTHING = new Float32Array(0);

/** A model as one file of llama.cpp. */
export const writeGguf: ExportWriter = (source, { place, dtype, told, notice }) =>
  source.open(async ({ read, ...opened }) => {
    const { type, limit } = TYPES[dtype as keyof typeof TYPES];
    const { metadata, tensors, notices } = writtenModel(opened, type);
    for (const message of notices) notice(message);
    const fit = new Fit(dtype, { limit, instead: 'f32' });
    const blocks = async ({ parameter, blocks }: WrittenTensor) =>
      blocks(parameter === undefined ? NOTHING : fit.see(parameter, await read(parameter)));
    const bytes = tensorBytes(tensors);
    async function* watched(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      let left = bytes;
      for await (const piece of pieces) {
        const counted = Math.min(piece.length, left);
        left -= counted;
        told(counted, bytes);
        yield piece;
      }
    }
    await writeFileSynced(place, watched(encodeGgufInPieces(metadata, tensors, blocks)));
    fit.require();
    return {};
  });
