import { fromBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  ModelProtoSchema,
  type ValueInfoProto,
} from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import {
  add,
  constant,
  encode,
  gather,
  gemm,
  input,
  layerNorm,
  mul,
  type Operator,
  reduceSum,
  softmax,
  transpose,
} from './index.js';
import { apply1 } from './tensor.js';

const graphOf = (program: { onnx: Uint8Array }) => fromBinary(ModelProtoSchema, program.onnx).graph!;

function typeOf({ type }: ValueInfoProto) {
  if (type?.value.case !== 'tensorType') throw new Error('not a tensor');
  const { elemType, shape } = type.value.value;
  return [elemType, ...shape!.dim.map(({ value }) => value.value)];
}

describe('encode', () => {
  const ids = input('ids', [4], 'int64');
  const table = input('table', [5, 2]);
  const program = encode({ rows: gather(table, ids), total: reduceSum(table, [0, 1]) }, 'cpu');

  it('writes inputs and outputs with their names, types and sizes', () => {
    const graph = graphOf(program);
    expect(Object.fromEntries(graph.input.map((value) => [value.name, typeOf(value)]))).toEqual({
      ids: [DataType.INT64, 4n],
      table: [DataType.FLOAT, 5n, 2n],
    });
    expect(Object.fromEntries(graph.output.map((value) => [value.name, typeOf(value)]))).toEqual({
      rows: [DataType.FLOAT, 4n, 2n],
      total: [DataType.FLOAT],
    });
    expect(program.inputs.get('ids')).toEqual({ shape: [4], dtype: 'int64' });
    expect(program.outputs.get('rows')).toEqual({ shape: [4, 2], dtype: 'float32' });
  });

  it('states the versions that the lowerings are written against', () => {
    const model = fromBinary(ModelProtoSchema, program.onnx);
    expect(model.irVersion).toBe(10n);
    expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ['', 21n],
      ['com.microsoft', 1n],
    ]);
  });

  it('orders nodes so that each follows what it reads, under names of their own', () => {
    const x = input('x', [2, 2]);
    const graph = graphOf(encode({ y: softmax(add(gemm(x, x), transpose(x, [1, 0]))), z: mul(x, x) }, 'cpu'));
    const known = new Set(['', ...graph.input.map(({ name }) => name), ...graph.initializer.map(({ name }) => name)]);
    for (const node of graph.node) {
      for (const name of node.input) expect(known, `${node.name} reads ${name}`).toContain(name);
      for (const name of node.output) {
        expect(known).not.toContain(name);
        known.add(name);
      }
    }
    expect(known).toContain('y');
    expect(known).toContain('z');
  });

  it('writes whole numbers, fractions, lists and texts as the kinds that ONNX declares', () => {
    const x = input('x', [2, 2]);
    const everything: Operator = {
      name: 'everything',
      infer: ([tensor]) => [tensor!],
      lower: { onnx: (e, _node, inputs) => e.emit('Odd', inputs, { i: 3, f: { float: 2 }, s: 'text', l: [1, 2] }) },
    };
    const node = graphOf(encode({ y: apply1(everything, [x]) }, 'wasm')).node.find(({ opType }) => opType === 'Odd')!;
    const attributes = Object.fromEntries(node.attribute.map((attribute) => [attribute.name, attribute]));
    expect(attributes.i).toMatchObject({ type: AttributeType.INT, i: 3n });
    expect(attributes.f).toMatchObject({ type: AttributeType.FLOAT, f: 2 });
    expect(attributes.s!.type).toBe(AttributeType.STRING);
    expect(new TextDecoder().decode(attributes.s!.s)).toBe('text');
    expect(attributes.l).toMatchObject({ type: AttributeType.INTS, ints: [1n, 2n] });
  });

  it('writes constants bit by bit, equal small ones once, and a view without its surroundings', () => {
    const x = input('x', [2]);
    const wide = Float32Array.of(9, 0.1, Number.NaN, 9);
    const y = add(mul(x, constant(wide.subarray(1, 3), [2])), constant(Float32Array.of(0.1, Number.NaN), [2]));
    const { initializer } = graphOf(encode({ y }, 'cpu'));
    expect(initializer).toHaveLength(1);
    expect(initializer[0]).toMatchObject({ dims: [2n], dataType: DataType.FLOAT });
    expect(new Uint8Array(initializer[0]!.rawData)).toEqual(new Uint8Array(wide.slice(1, 3).buffer));
  });

  it("uses a target's own lowering where there is one", () => {
    const x = input('x', [2, 2]);
    const norm = layerNorm(x, input('w', [2]), input('b', [2]), 1e-5);
    const types = (target: 'cpu' | 'wasm') => graphOf(encode({ y: norm }, target)).node.map(({ opType }) => opType);
    expect(types('cpu')).toContain('LayerNormalization');
    expect(types('wasm')).not.toContain('LayerNormalization');
  });

  it('leaves out inputs that no output needs, and gives one tensor several names', () => {
    const x = input('x', [1]);
    const two = encode({ y: x, z: x }, 'cpu');
    expect([...two.outputs.keys()]).toEqual(['y', 'z']);
    expect([...two.inputs.keys()]).toEqual(['x']);
    expect([...encode({ y: x }, 'cpu').inputs.keys()]).not.toContain('table');
  });

  it('writes what is read again under its public name too, without a copy', () => {
    const x = input('x', [2]);
    const y = mul(x, x);
    const { node } = graphOf(encode({ y, z: add(y, x), again: y }, 'cpu'));
    const named = node.map(({ opType, input, output }) => [opType, ...input, ...output].join(' '));
    // A second name for one tensor alone takes a copy.
    expect(named.sort()).toEqual(['Add y x z', 'Identity y again', 'Mul x x y']);
  });

  it('refuses an operator that the target cannot do', () => {
    const cpuOnly: Operator = {
      name: 'cpuOnly',
      infer: ([x]) => [x!],
      lower: { cpu: (_e, _node, inputs) => [...inputs] },
    };
    const y = apply1(cpuOnly, [input('x', [1])]);
    expect(encode({ y }, 'cpu').outputs.size).toBe(1);
    expect(() => encode({ y }, 'webgpu')).toThrow('cpuOnly cannot be lowered to webgpu');
  });
});
