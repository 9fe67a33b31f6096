/** The sizes of a tensor's axes, all static. */
export type Shape = readonly number[];

/**
 * What a tensor holds. `int64` is for token ids and positions, which ONNX wants that wide; `int32` for random numbers;
 * `int8` for quantised values, `uint8` for two of them in a byte, `uint16` for the bits of bfloat16, `float64` for the
 * products of LINPACK.
 */
export type DType = 'float32' | 'float64' | 'int64' | 'int32' | 'int8' | 'uint8' | 'uint16';

/** The values of a constant: Float32Array for `float32`, BigInt64Array for `int64`. */
export type ConstantData = Float32Array | BigInt64Array;

/** Parameters of an operator that are known when the graph is traced. */
export type Attributes = Readonly<Record<string, AttributeValue>>;
export type AttributeValue = number | string | boolean | readonly number[] | ConstantData | undefined;

/** One application of an operator. Nodes form a directed acyclic graph through their inputs. */
export interface Node {
  /** Rises with creation, so an input's id is always below its user's: ids are a topological order. */
  readonly id: number;
  readonly operator: Operator;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly outputs: readonly Tensor[];
}

/** A traced value: no numbers, only where they will come from. */
export interface Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  /** @internal */
  readonly node: Node;
  /** Which of the node's outputs this is. @internal */
  readonly index: number;
}

/** The shape and type of an output, as an operator's shape rule gives it. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * Where a graph will run; lowerings may differ. `cpu` is ONNX Runtime's native CPU provider; `portable` is a file for any
 * of its providers, whose sizes may be told at a run alone (see `symbolic.ts`).
 */
export type Target = 'cpu' | 'wasm' | 'webgpu' | 'cuda' | 'portable';

/** Writes ONNX nodes; given to an operator's lowering. Names are those of values in the ONNX graph. */
export interface Emitter {
  readonly target: Target;
  /**
   * Adds a node and returns the names of its outputs. An empty input name stands for an absent optional input; `since` is the
   * version of ONNX's operators that brought it, where that is a late one.
   */
  emit(
    type: string,
    inputs: readonly string[],
    attributes?: Record<string, number | string | readonly number[] | FloatAttribute>,
    options?: { domain?: string; outputs?: number; since?: bigint },
  ): string[];
  /** A constant of the graph, shared between equal uses. */
  constant(data: ConstantData | Int32Array | Uint8Array, shape: Shape): string;
  /** The name of a graph input. */
  input(name: string, type: TensorType): string;
}

/** An attribute that ONNX declares as FLOAT: `{ float: 1 }`, where a bare 1 would be written as INT. */
export interface FloatAttribute {
  readonly float: number;
}

/** A row of the operator table. */
export interface Operator {
  readonly name: string;
  /** The shape rule; throws on operands that do not fit. */
  infer(inputs: readonly Tensor[], attributes: Attributes): TensorType[];
  /**
   * Reverse mode: the gradient of each input, given the gradient of each output (undefined where nothing depends on
   * it). Undefined for an input that has none. An operator without this rule is not differentiable.
   */
  readonly gradient?: (node: Node, gradients: readonly (Tensor | undefined)[]) => (Tensor | undefined)[];
  /**
   * Rewrites into simpler operators, for the targets that have no lowering of their own. A gradient rule that traces
   * the same expressions shares them with the forward pass, since equal subexpressions are computed once.
   */
  readonly decompose?: (node: Node, target: Target) => Tensor[];
  /** What a target computes faster than the node as it is; undefined where nothing is. Tried once, on simplified graphs. */
  readonly faster?: { readonly [T in Target]?: (node: Node) => Tensor | undefined };
  /** The lowering to ONNX, by target; `onnx` serves every target without an entry of its own. */
  readonly lower?: { readonly [T in Target | 'onnx']?: Lowering };
}

/** Emits the ONNX nodes of one operator; returns the names of its outputs. */
export type Lowering = (emitter: Emitter, node: Node, inputs: readonly string[]) => string[];

let nextId = 0;

/** Applies an operator: checks the operands by its shape rule and adds a node to the graph. */
export function apply(operator: Operator, inputs: readonly Tensor[], attributes: Attributes = {}): readonly Tensor[] {
  const types = operator.infer(inputs, attributes);
  const outputs: Tensor[] = [];
  const node: Node = { id: nextId++, operator, inputs, attributes, outputs };
  types.forEach(({ shape, dtype }, index) => {
    outputs.push({ shape, dtype, node, index });
  });
  return outputs;
}

/** {@link apply} for an operator with one output. */
export function apply1(operator: Operator, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor {
  return apply(operator, inputs, attributes)[0]!;
}

/** The number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `[2, 3]`, for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** The nodes that `outputs` depend on, each after those that it depends on. */
export function topologicalOrder(outputs: readonly Tensor[]): Node[] {
  const seen = new Set<Node>();
  const stack = outputs.map((tensor) => tensor.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
