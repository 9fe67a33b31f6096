import { formatShape, type Lowering, type Shape, type Tensor } from '../tensor.js';

/** The lowering of an operator that is one ONNX node of the same operands on every target. */
export function onnx(type: string): { onnx: Lowering } {
  return { onnx: (emitter, _node, inputs) => emitter.emit(type, inputs) };
}

/** ONNX's numbers for element types, as its Cast takes them. */
export const ONNX_TYPE = { FLOAT: 1, INT8: 3, UINT16: 4, INT32: 6, FLOAT16: 10, UINT32: 12, BFLOAT16: 16 } as const;

/** @throws Error unless the tensor holds float32 */
export function float32(operator: string, x: Tensor): Tensor {
  if (x.dtype !== 'float32') throw new Error(`${operator}: expected float32, got ${x.dtype}`);
  return x;
}

/** @throws Error unless the tensors hold all float32 or all float64 */
export function sameReal(operator: string, tensors: readonly Tensor[]): readonly Tensor[] {
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))];
  if (dtypes.length !== 1 || !/^float(32|64)$/.test(dtypes[0]!)) {
    throw new Error(`${operator}: expected all float32 or all float64, got ${dtypes.join(' and ')}`);
  }
  return tensors;
}

/** NumPy's rule of broadcasting, for two float32 operands. */
export function broadcastShapes(operator: string, a: Tensor, b: Tensor): Shape {
  float32(operator, a);
  float32(operator, b);
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const p = a.shape[a.shape.length - rank + i] ?? 1;
    const q = b.shape[b.shape.length - rank + i] ?? 1;
    if (p !== q && p !== 1 && q !== 1) {
      throw new Error(`${operator}: shapes ${formatShape(a.shape)} and ${formatShape(b.shape)} do not broadcast`);
    }
    return p === 1 ? q : p;
  });
}

/** An axis counted from the end when negative. */
export function resolveAxis(operator: string, x: Tensor, axis: number): number {
  const resolved = axis < 0 ? axis + x.shape.length : axis;
  if (!(resolved >= 0 && resolved < x.shape.length)) {
    throw new Error(`${operator}: axis ${axis} is outside shape ${formatShape(x.shape)}`);
  }
  return resolved;
}

/** Int64 values for ONNX operators that take shapes, axes or indices as inputs. */
export function int64s(values: readonly number[]): BigInt64Array {
  return BigInt64Array.from(values, BigInt);
}
