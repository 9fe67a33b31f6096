import { fromBinary } from '@bufbuild/protobuf';
import { type GraphProto, ModelProtoSchema, type NodeProto, TensorProto_DataType } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import type { DeviceMemory, Engine } from '../../src/engine/engine.js';
import type { Program } from '../../src/graph/index.js';
import { Model } from '../../src/model/model.js';
import { Causal } from '../../src/objectives/causal/causal.js';
import { Replica } from '../../src/training/replica.js';
import fallbacks from './webgpu-fallbacks.json' with { type: 'json' };

/** Every program that a replica compiles for WebGPU: gradient, its sum over micro-batches, and the step. */
async function programsOf(family: string, gradientAccumulation: number): Promise<Program[]> {
  const programs: Program[] = [];
  const compile = async (program: Program) => {
    programs.push(program);
    return { program, run: () => Promise.reject(new Error('only compiled')), dispose: async () => {} };
  };
  const memory = { compile, holds: () => true } as unknown as DeviceMemory;
  const recorder: Engine = { name: 'recorder', target: 'webgpu', views: false, memory, compile };
  const sizes = { layers: 3, width: 64, heads: 4, keyValueHeads: family === 'llama' ? 2 : 4 };
  await Replica.create({
    // A context of several blocks of queries, and a vocabulary of several chunks of logits.
    objective: new Causal(Model.create(family, { ...sizes, context: 256, vocabulary: 40_000 })),
    engine: recorder,
    batch: 4,
    gradientAccumulation,
    dropout: { rate: 0.1, seed: 1 },
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
  });
  return programs;
}

/** The names of a graph's int64 values, as far as operators that move values spread them. */
function int64Values(graph: GraphProto): Set<string> {
  const names = new Set<string>();
  const moving = new Set([
    'Reshape',
    'Concat',
    'Slice',
    'Split',
    'Gather',
    'Transpose',
    'Expand',
    'Identity',
    'Add',
    'Mul',
  ]);
  for (const { name, type } of graph.input) {
    if (type?.value.case === 'tensorType' && type.value.value.elemType === TensorProto_DataType.INT64) names.add(name);
  }
  for (const { name, dataType } of graph.initializer) if (dataType === TensorProto_DataType.INT64) names.add(name);
  for (const node of graph.node) {
    if (moving.has(node.opType) && names.has(node.input[0]!)) for (const name of node.output) names.add(name);
  }
  return names;
}

/** Why a node would not run on the device; undefined when it does. */
function objection(node: NodeProto, int64: Set<string>): string | undefined {
  const has = (table: object) => Object.hasOwn(table, node.opType);
  if (has(fallbacks.operators)) return `${node.opType} falls back to the CPU`;
  const buffers = new Set([...node.input, ...node.output].filter((name) => name !== '')).size;
  const onInt64 = int64.has(node.input[0]!);
  if (onInt64 && has(fallbacks.int64Operators)) return `${node.opType} of int64 falls back to the CPU`;
  // Slices and shapes are read when the graph is built, not by the shader.
  const bound = ['Slice', 'Reshape', 'Expand', 'ReduceSum', 'ReduceMax'].includes(node.opType) ? 2 : buffers;
  return bound > fallbacks.storageBuffers ? `${node.name} binds ${bound} buffers` : undefined;
}

describe.each(['gpt2', 'llama'])('the programs of a %s replica for WebGPU', (family) => {
  it.each([1, 2])('hold no operator that falls back to the CPU, with %i micro-batches a step', async (parts) => {
    const programs = await programsOf(family, parts);
    expect(programs.map(({ outputs }) => [...outputs.keys()])).toEqual([
      ['loss', 'gradient'],
      ['gradient'],
      ['parameters_out', 'moment1_out', 'moment2_out', 'norm'],
    ]);
    const graphs = programs.map(({ onnx }) => fromBinary(ModelProtoSchema, onnx).graph!);
    expect(graphs[0]!.node.length).toBeGreaterThan(300);
    for (const graph of graphs) {
      const int64 = int64Values(graph);
      expect(graph.node.flatMap((node) => objection(node, int64) ?? [])).toEqual([]);
      for (const node of graph.node) {
        if (node.opType === 'Concat') expect(node.input.length).toBeLessThanOrEqual(7);
        if (node.opType === 'Split') expect(node.output.length).toBeLessThanOrEqual(9);
        // What is left on int64 is index arithmetic, each kind of it known.
        if (int64.has(node.output[0]!)) expect(Object.keys(fallbacks.onTheHost)).toContain(node.opType);
      }
    }
  });
});

describe('the check itself', () => {
  const node = (opType: string, inputs: string[], outputs = ['y']) =>
    ({ opType, name: 'node', input: inputs, output: outputs }) as NodeProto;

  it('objects to operators of the table, int64 ones only on int64, and too many buffers', () => {
    expect(objection(node('LogSoftmax', ['x']), new Set())).toMatch(/LogSoftmax falls back/);
    expect(objection(node('Equal', ['x', 'z']), new Set(['x']))).toMatch(/Equal of int64/);
    expect(objection(node('Equal', ['x', 'z']), new Set())).toBeUndefined();
    const many = Array.from({ length: 10 }, (_, i) => `x${i}`);
    expect(objection(node('Concat', many), new Set())).toBe('node binds 11 buffers');
    expect(objection(node('Concat', many.slice(1)), new Set())).toBeUndefined();
  });
});
