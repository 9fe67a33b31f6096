/*
 * Shape suffixes: K what a product sums over; N its columns; Z blocks of a column.
 */
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { BLOCKS, bitsOf, storeBlocks } from '../../model/block-weights.js';
import { type ConstantProduct, constantProduct, dropUnread, node } from './nodes.js';
import type { OnnxFile } from './onnx-file.js';

/**
 * Makes the products with weights products with ones in few bits (`MatMulNBits` of ONNX Runtime): blocks along what is summed
 * over, each with a scale, symmetric about 0. In 4 bits are the layers of {@link bitsOf}; the others, and heads that are the
 * tables of tokens as well, in 8. Tables of rows stay as they are.
 */
export function quantizeInt4(file: OnnxFile): void {
  const graph = file.model.graph!;
  const tables = new Set(graph.node.flatMap(({ opType, input }) => (opType === 'Gather' ? [input[0]!] : [])));
  graph.node = graph.node.flatMap((one) => {
    const product = constantProduct(file, one);
    if (!product) return [one];
    const { rows, name, K, N, bias, output } = product;
    const bits = tables.has(name) ? 8 : bitsOf({ inputs: K, outputs: N });
    const [codes, scales] = [`${name} int${bits}`, `${name} scales`];
    const block = BLOCKS[bits];
    const blocks = Math.ceil(K / block);
    const bytes = (block * bits) / 8;
    if (!file.weights.has(codes)) {
      file.weights.set(codes, {
        ...{ shape: [N, blocks, bytes], dataType: DataType.UINT8, byteLength: N * blocks * bytes },
        bytes: () => pack(product, bits).codes,
      });
      file.weights.set(scales, {
        ...{ shape: [N * blocks], dataType: DataType.FLOAT, byteLength: 4 * N * blocks },
        bytes: () => new Uint8Array(pack(product, bits).scales.buffer),
      });
    }
    const sum = bias === undefined ? output : `${output} product`;
    const numbers = { K, N, bits, block_size: block };
    return [
      node('MatMulNBits', [rows, codes, scales], sum, { numbers, domain: 'com.microsoft' }),
      ...(bias === undefined ? [] : [node('Add', [sum, bias], output)]),
    ];
  });
  dropUnread(file);
}

const pack = ({ weight: { values }, transposed, K, N }: ConstantProduct, bits: 4 | 8) =>
  storeBlocks(values, { inputs: K, outputs: N, rows: transposed ? 'outputs' : 'inputs' }, bits);
