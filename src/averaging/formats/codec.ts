import type { Engine, SessionOptions } from '../../engine/engine.js';
import type { Format } from '../choices.js';
import { createPlainCodec } from './plain-codec.js';
import { createQuantizedCodec } from './quantized-codec.js';

/** Turns ranges of a vector into bytes and back: the same bytes and the same values on every machine. */
export interface Codec {
  readonly format: Format;
  /** Whether the sender should carry what rounding lost into its next message, by `residual` of {@link encode}. */
  readonly feedback: boolean;
  /** Bytes of a message of so many elements, header included. */
  encodedBytes(length: number): number;
  /**
   * @param residual error feedback (arXiv 1901.09847): added to `x` first, then replaced by what rounding lost. Only
   * where {@link feedback} is true
   * @throws MeanfieldError when an element is NaN, infinite, or (but for `fp32`) 2¹²⁰ or more; nothing has changed then
   */
  encode(x: Float32Array, residual?: Float32Array): Promise<Uint8Array>;
  /**
   * @param bytes as they came from outside: nothing about them is trusted
   * @returns `length` finite values; where that costs no copy, a view of `bytes`
   * @throws MeanfieldError when the bytes are not `length` finite elements in this format
   */
  decode(bytes: Uint8Array, length: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/**
 * A codec of one format; its calls may overlap. Numbers travel little-endian, as they lie in the memory of every machine
 * that ONNX Runtime is published for.
 */
export function createCodec(engine: Engine, format: Format, compile: SessionOptions = {}): Codec {
  return format === 'fp32' || format === 'bf16'
    ? createPlainCodec(format)
    : createQuantizedCodec(engine, format, compile);
}
