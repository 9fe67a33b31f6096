export { type AnySizeProgram, encodeAnySize } from './any-size.js';
export { encode, type Program } from './encode.js';
export { gradients } from './gradients.js';
export * from './operators/index.js';
export { replaceNodes } from './replace.js';
export { simplify } from './simplify.js';
export { encodeSymbolic, type SymbolicSize } from './symbolic.js';
export type { ConstantData, DType, Node, Operator, Shape, Target, Tensor, TensorType } from './tensor.js';
export { formatShape, sizeOf } from './tensor.js';
