/*
 * Shape suffixes: K what a product sums over; N its columns; Z blocks of 32 of a column.
 */
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { type ConstantProduct, constantProduct, dropUnread, node } from './nodes.js';
import type { OnnxFile } from './onnx-file.js';

/** Weights that share a scale. */
const BLOCK = 32;
/** The code of 0. */
const ZERO = 8;

/**
 * Makes the products with weights products with 4-bit ones (`MatMulNBits` of ONNX Runtime): blocks of 32 along what is
 * summed over, each with a scale, symmetric about 0. Tables of rows stay as they are.
 */
export function quantizeInt4(file: OnnxFile): void {
  const graph = file.model.graph!;
  graph.node = graph.node.flatMap((one) => {
    const product = constantProduct(file, one);
    if (!product) return [one];
    const { rows, name, K, N, bias, output } = product;
    const [codes, scales] = [`${name} int4`, `${name} scales`];
    const blocks = Math.ceil(K / BLOCK);
    if (!file.weights.has(codes)) {
      const byteLength = (N * blocks * BLOCK) / 2;
      file.weights.set(codes, {
        ...{ shape: [N, blocks, BLOCK / 2], dataType: DataType.UINT8, byteLength },
        bytes: () => pack(product).codes,
      });
      file.weights.set(scales, {
        ...{ shape: [N * blocks], dataType: DataType.FLOAT, byteLength: 4 * N * blocks },
        bytes: () => new Uint8Array(pack(product).scales.buffer),
      });
    }
    const sum = bias === undefined ? output : `${output} product`;
    const numbers = { K, N, bits: 4, block_size: BLOCK };
    return [
      node('MatMulNBits', [rows, codes, scales], sum, { numbers, domain: 'com.microsoft' }),
      ...(bias === undefined ? [] : [node('Add', [sum, bias], output)]),
    ];
  });
  dropUnread(file);
}

/** Codes [N, Z, 16], two a byte, the first in the lower half, and scales [N, Z]. */
function pack({ weight: { values }, transposed, K, N }: ConstantProduct) {
  const blocks = Math.ceil(K / BLOCK);
  const codes = new Uint8Array((N * blocks * BLOCK) / 2);
  const scales = new Float32Array(N * blocks);
  const block = new Float32Array(BLOCK);
  for (let z = 0; z < N * blocks; z++) {
    const [n, from] = [Math.floor(z / blocks), (z % blocks) * BLOCK];
    let extreme = 0;
    for (let i = 0; i < BLOCK; i++) {
      const k = from + i;
      const value = k < K ? values[transposed ? n * K + k : k * N + n]! : 0;
      block[i] = value;
      if (Math.abs(value) > Math.abs(extreme)) extreme = value;
    }
    // The extreme has the code 0, of which the negative side has one more.
    const scale = extreme === 0 ? 1 : extreme / -ZERO;
    scales[z] = scale;
    for (let i = 0; i < BLOCK; i++) {
      const code = Math.max(0, Math.min(15, Math.round(block[i]! / scale) + ZERO));
      codes[(z * BLOCK + i) >> 1]! |= code << (4 * (i & 1));
    }
  }
  return { codes, scales };
}
