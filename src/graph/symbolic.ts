import { create, equals } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
} from 'onnx-buf';
import { encodeModel } from './encode.js';
import { int64s } from './operators/rules.js';
import type { Target, Tensor } from './tensor.js';

/** A size that a run tells. */
export interface SymbolicSize<Name extends string = string> {
  /** The name of the axes that have it. */
  readonly name: Name;
  /**
   * Where a run finds it: an input and the number of its axis. Left out, it is computed where it is a sum of such, and
   * else can be that of an output's axes alone.
   */
  readonly at?: readonly [input: string, axis: number];
  /** Those that it is the sum of; left out, it is any number. */
  readonly sum?: readonly Name[];
}

/** How often a graph is traced to find out how its sizes follow from those that are free. */
const POINTS = 3;
/** Sizes to trace with: nothing else in a graph has them, and no two products of them are equal. */
const PRIMES = [
  10007, 10037, 10061, 10091, 10111, 10139, 10163, 10193, 10223, 10253, 10273, 10303, 10333, 10357, 10391,
];

/** A size as a product: a number times sizes, or sizes less 1. */
interface Product {
  readonly factor: number;
  readonly of: readonly Factor[];
}

interface Factor {
  readonly size: SymbolicSize;
  /** 0 or −1, which is added. */
  readonly plus: number;
  /** What it is at each point. */
  readonly values: readonly number[];
}

/**
 * An ONNX model for sizes that a run tells. Shapes of traces are numbers, so a model is traced several times, with other
 * sizes each, and how the numbers in its files follow from them is read off: each must be one product of the sizes (or
 * sizes less 1) that fits every trace, and all else must be the same.
 *
 * @param trace the outputs, by the names that they will have, for some sizes
 * @param target what the file is for
 * @throws Error when the graph differs otherwise between sizes
 */
export function encodeSymbolic<Name extends string>(
  sizes: readonly SymbolicSize<Name>[],
  trace: (sizes: Readonly<Record<Name, number>>) => Readonly<Record<string, Tensor>>,
  target: Target = 'portable',
): ModelProto {
  const points = Array.from({ length: POINTS }, (_, point) => sample(sizes, point));
  const models = points.map((point) => encodeModel(trace(point), target));
  const factors = sizes.flatMap((size) =>
    [0, ...(size.sum ? [] : [-1])].map((plus) => ({ size, plus, values: points.map((at) => at[size.name] + plus) })),
  );
  unify(
    models.map(({ graph }) => graph!),
    factors,
    new Map(sizes.map((size) => [size.name, size])),
  );
  return models[0]!;
}

function sample<Name extends string>(sizes: readonly SymbolicSize<Name>[], point: number): Record<Name, number> {
  const values = {} as Record<Name, number>;
  sizes.forEach(({ name, sum }, i) => {
    if (!sum) values[name] = PRIMES[point + POINTS * i]!;
  });
  for (const { name, sum } of sizes)
    if (sum) values[name] = sum.reduce((total: number, each) => total + values[each], 0);
  return values;
}

/** Makes of the first of equal graphs for different sizes one for all of them. */
function unify(
  graphs: readonly GraphProto[],
  factors: readonly Factor[],
  sizes: ReadonlyMap<string, SymbolicSize>,
): void {
  const [graph] = graphs as [GraphProto];
  const differ = (what: string) => new Error(`A graph for any size cannot be made: ${what} depends on the sizes`);
  const count = (of: (one: GraphProto) => number) => graphs.every((one) => of(one) === of(graph));
  if (!count(({ node }) => node.length) || !count(({ initializer }) => initializer.length)) throw differ('its length');
  graph.node.forEach((node, i) => {
    if (!graphs.every((one) => equals(NodeProtoSchema, node, one.node[i]!))) throw differ(node.name);
  });
  const symbolic = new Map<string, { readonly products: readonly Product[]; readonly scalar: boolean }>();
  graph.initializer.forEach((constant, i) => {
    const all = graphs.map((one) => one.initializer[i]!);
    if (all.every((one) => equals(TensorProtoSchema, constant, one))) return;
    const numbers = all.map(int64sOf);
    if (numbers.some((each) => each === undefined || each.length !== numbers[0]!.length)) throw differ(constant.name);
    const products = numbers[0]!.map((_, k) =>
      productOf(
        numbers.map((each) => each![k]!),
        factors,
      ),
    );
    if (products.includes(undefined)) throw differ(constant.name);
    symbolic.set(constant.name, { products: products as Product[], scalar: constant.dims.length === 0 });
  });
  for (const kind of ['input', 'output'] as const) nameAxes(graphs, kind, factors);
  new SizeNodes(graph, sizes).replace(symbolic);
}

function int64sOf({ dataType, rawData }: TensorProto): number[] | undefined {
  if (dataType !== DataType.INT64) return undefined;
  return Array.from(new BigInt64Array(rawData.slice().buffer), Number);
}

/** The product that is `values`, one at each point. */
function productOf(values: readonly number[], factors: readonly Factor[]): Product | undefined {
  for (let set = 0; set < 2 ** factors.length; set++) {
    const of = factors.filter((_, i) => set & (1 << i));
    const ratios = values.map((value, point) => of.reduce((rest, { values }) => rest / values[point]!, value));
    if (Number.isInteger(ratios[0]) && ratios.every((ratio) => ratio === ratios[0])) return { factor: ratios[0]!, of };
  }
  return undefined;
}

const nameOf = ({ size, plus }: Factor): string => (plus === 0 ? size.name : `${size.name} - 1`);

/** Gives the axes of inputs or outputs the names of their sizes. */
function nameAxes(graphs: readonly GraphProto[], kind: 'input' | 'output', factors: readonly Factor[]): void {
  graphs[0]![kind].forEach((info, i) => {
    const shapes = graphs.map((one) => {
      const type = one[kind][i]!.type!.value;
      if (type.case !== 'tensorType') throw new Error(`${info.name} is no tensor`);
      return type.value.shape!;
    });
    shapes[0]!.dim = shapes[0]!.dim.map((dim, axis) => {
      const values = shapes.map((shape) => Number(shape.dim[axis]!.value.value));
      if (values.every((value) => value === values[0])) return dim;
      const product = productOf(values, factors);
      if (!product) throw new Error(`No product of the sizes is axis ${axis} of ${info.name}`);
      const names = [...(product.factor === 1 ? [] : [String(product.factor)]), ...product.of.map(nameOf)];
      return create(TensorShapeProto_DimensionSchema, { value: { case: 'dimParam', value: names.join(' * ') } });
    });
  });
}

/** Nodes that compute sizes at a run, before all others of a graph. */
class SizeNodes {
  readonly #graph: GraphProto;
  readonly #nodes: NodeProto[] = [];
  readonly #names = new Set<string>();

  constructor(
    graph: GraphProto,
    private readonly sizes: ReadonlyMap<string, SymbolicSize>,
  ) {
    this.#graph = graph;
  }

  /** Whether a run tells a size, or all that it is the sum of. */
  #isTold({ at, sum }: SymbolicSize): boolean {
    return at !== undefined || (sum?.every((name) => this.#isTold(this.sizes.get(name)!)) ?? false);
  }

  /** Puts what a run computes in the place of constants that hold sizes. */
  replace(symbolic: ReadonlyMap<string, { readonly products: readonly Product[]; readonly scalar: boolean }>): void {
    const graph = this.#graph;
    graph.initializer = graph.initializer.filter(({ name }) => !symbolic.has(name));
    for (const node of graph.node) {
      node.input = node.input.map((name, i) => {
        const found = symbolic.get(name);
        if (!found) return name;
        if (node.opType === 'Reshape' && i === 1) return this.#shape(found.products);
        return found.scalar ? this.#scalar(found.products[0]!) : this.#vector(found.products.map((p) => this.#size(p)));
      });
    }
    graph.node.unshift(...this.#nodes);
  }

  /** A shape to take: −1 for the first size that no run tells, or else the first that one does. */
  #shape(products: readonly Product[]): string {
    const told = ({ of }: Product) => of.every(({ size }) => this.#isTold(size));
    const open = products.findIndex((product) => !told(product));
    const rest = open < 0 ? products.findIndex(({ of }) => of.length > 0) : open;
    const alone = products.every(({ of }, i) => i === rest || of.length === 0);
    if (alone) return this.#constant(products.map(({ factor }, i) => (i === rest ? -1 : factor)));
    return this.#vector(products.map((product, i) => (i === rest ? this.#constant([-1]) : this.#size(product))));
  }

  #vector(parts: readonly string[]): string {
    if (parts.length === 1) return parts[0]!;
    return this.#node('Concat', `sizes [${parts.join(', ')}]`, parts, { axis: 0 });
  }

  #scalar(product: Product): string {
    const size = this.#size(product);
    return this.#node('Squeeze', `${size} alone`, [size]);
  }

  /** A size, [1]. */
  #size({ factor, of }: Product): string {
    const factors = of.map((one) => this.#factor(one));
    if (factor !== 1 || of.length === 0) factors.unshift(this.#constant([factor]));
    return factors.reduce((a, b) => this.#node('Mul', `${a} * ${b}`, [a, b]));
  }

  #factor({ size, plus }: Factor): string {
    const whole = this.#whole(size);
    return plus === 0 ? whole : this.#node('Add', `${whole} ${plus}`, [whole, this.#constant([plus])]);
  }

  #whole(size: SymbolicSize): string {
    if (size.at) {
      const [input, axis] = size.at;
      return this.#node('Shape', `size ${size.name}`, [input], { start: axis, end: axis + 1 });
    }
    if (!this.#isTold(size)) throw new Error(`No input has the size ${size.name}, which is needed inside the graph`);
    const parts = size.sum!.map((name) => this.#whole(this.sizes.get(name)!));
    return parts.reduce((a, b) => this.#node('Add', `${a} + ${b}`, [a, b]));
  }

  #constant(values: readonly number[]): string {
    const name = `sizes ${values.join(' ')}`;
    if (!this.#names.has(name)) {
      this.#names.add(name);
      const rawData = new Uint8Array(int64s(values).buffer) as Uint8Array<ArrayBuffer>;
      const tensor = { name, dims: [BigInt(values.length)], dataType: DataType.INT64, rawData };
      this.#graph.initializer.push(create(TensorProtoSchema, tensor));
    }
    return name;
  }

  #node(opType: string, name: string, input: readonly string[], numbers: Record<string, number> = {}): string {
    if (this.#names.has(name)) return name;
    this.#names.add(name);
    const attribute = Object.entries(numbers).map(([key, value]) =>
      create(AttributeProtoSchema, { name: key, type: AttributeType.INT, i: BigInt(value) }),
    );
    this.#nodes.push(create(NodeProtoSchema, { name, opType, input: [...input], output: [name], attribute }));
    return name;
  }
}
