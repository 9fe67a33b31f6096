import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { node } from './nodes.js';
import type { OnnxFile } from './onnx-file.js';

/** What a run says of the branch: whether there is a cache. */
const CHOICE = 'use_cache_branch';

/**
 * One file of two that write with the same weights, as transformers.js and optimum feed it: a run's `use_cache_branch` [1]
 * bool says whether there is a cache, and so which is run. Each must be fed the inputs of both; those that a branch does not
 * read may be empty.
 *
 * @param further what it does not give of the outputs of `first` it is fed, as `past_key_values` in place of `present`
 */
export function mergeBranches(first: OnnxFile, further: OnnxFile): OnnxFile {
  const [a, b] = [first.model.graph!, further.model.graph!];
  const names = a.output.map(({ name }) => name);
  const given = new Set(b.output.map(({ name }) => name));
  const fed = names.filter((name) => !given.has(name));
  const outputs = new Map([...a.output, ...b.output].map((info) => [info.name, info]));
  const branch = (graph: GraphProto, prefix: string) => asBranch(graph, prefix, names, outputs);
  const copies = fed.map((name) => node('Identity', [name.replace('present', 'past_key_values')], name));
  const further_ = create(GraphProtoSchema, { ...b, node: [...b.node, ...copies] });
  const attribute = [
    { name: 'then_branch', g: branch(further_, 'further') },
    { name: 'else_branch', g: branch(a, 'first') },
  ].map((one) => create(AttributeProtoSchema, { ...one, type: AttributeType.GRAPH }));
  const choice = create(NodeProtoSchema, { name: 'branch', opType: 'If', input: [CHOICE], output: names, attribute });
  const inputs = new Map([...a.input, ...b.input].map((info) => [info.name, info]));
  const graph = create(GraphProtoSchema, {
    name: a.name,
    node: [choice],
    input: [...inputs.values(), choiceInput()],
    // A cache that grows has its own axes; those of the source are the same in both.
    output: names.map((name) => outputs.get(name)!),
  });
  const model = create(ModelProtoSchema, { ...first.model, graph, opsetImport: opsetsOf(first, further) });
  return { model, weights: new Map([...further.weights, ...first.weights]) };
}

/** A graph within another: weights and inputs are the outer one's, its outputs have names of its own. */
function asBranch(
  graph: GraphProto,
  prefix: string,
  names: readonly string[],
  infos: ReadonlyMap<string, ValueInfoProto>,
): GraphProto {
  const renamed = (name: string) => (infos.has(name) ? `${prefix} ${name}` : name);
  return create(GraphProtoSchema, {
    name: prefix,
    node: graph.node.map((one) =>
      create(NodeProtoSchema, { ...one, input: one.input.map(renamed), output: one.output.map(renamed) }),
    ),
    initializer: graph.initializer,
    output: names.map((name) => {
      const own = graph.output.find((info) => info.name === name) ?? infos.get(name)!;
      return create(ValueInfoProtoSchema, { ...own, name: renamed(name) });
    }),
  });
}

function choiceInput(): ValueInfoProto {
  const shape = { dim: [{ value: { case: 'dimValue' as const, value: 1n } }] };
  const tensor = { elemType: DataType.BOOL, shape };
  return create(ValueInfoProtoSchema, { name: CHOICE, type: { value: { case: 'tensorType', value: tensor } } });
}

/** The newest that either needs of each set of operators. */
function opsetsOf(...files: readonly OnnxFile[]) {
  const newest = new Map<string, bigint>();
  for (const { domain, version } of files.flatMap(({ model }) => model.opsetImport))
    if (version > (newest.get(domain) ?? 0n)) newest.set(domain, version);
  return [...newest].map(([domain, version]) => ({ domain, version, $typeName: 'onnx.OperatorSetIdProto' as const }));
}
