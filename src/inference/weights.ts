import type { AnySizeEngine, ShapedArray } from '../engine/engine.js';
import { input, type Node, replaceNodes, type Tensor } from '../graph/index.js';
import type { OpenTextModel } from '../hub/load-model.js';
import type { Attend } from '../model/architecture.js';
import { BLOCKS, bitsOf, headBlock, storeBlocks, type WeightPlace } from '../model/block-weights.js';
import type { Model } from '../model/model.js';
import type { WeightPrecision } from './precision.js';
import { BlockRounder } from './stored-blocks.js';

/** The parameters of a model for `traceFused`. */
export interface Weights {
  /** Those that are constants of the graph. */
  readonly constants: ReadonlyMap<string, Float32Array | Uint8Array>;
  /** Those that are fed at each step, by name. */
  readonly fed: Readonly<Record<string, Float32Array>>;
  /** Weights of products that are in few bits, by the parameter's name, and which part of what is stored it is. */
  readonly products: ReadonlyMap<string, Stored & { readonly at: number }>;
  /** Tables of tokens that are in few bits, by the parameter's name. */
  readonly tables: ReadonlyMap<string, Stored>;
}

/** Parameters in few bits, one below the other. */
export interface Stored {
  /** Before {@link CODES} and {@link SCALES}. */
  readonly name: string;
  readonly bits: 4 | 8;
  /** Values that share a scale. */
  readonly block: number;
  /** Values of a row. */
  readonly inputs: number;
  /** Rows of each parameter. */
  readonly outputs: readonly number[];
}

/** What stands behind the name of what is stored in few bits. */
export const [CODES, SCALES] = ['.codes', '.scales'] as const;

/**
 * The weights of a model in a precision. In single precision they are fed, if not said otherwise: as constants they would be
 * in memory twice, as what else the model does reads its vector. In few bits they are constants, and the vector is not needed
 * afterwards.
 *
 * Matrices of queries, keys and values are stored as one, for one product: each takes some time however small it is. In 4
 * bits are layers that give at least as many values as they take. Those that narrow, into the residual stream or the keys
 * that several heads share, stay in 8, queries beside such keys and tables of tokens too: SmolLM2-135M
 * loses 2.2 % so, and about 2 % more for each of these three in 4 bits: keys and values, what narrows, the head.
 *
 * @param options.constant in single precision: whether an engine that would copy what it is fed at each step holds them
 */
export function weightsIn(
  precision: WeightPrecision,
  model: Model,
  parameters: Readonly<Record<string, Float32Array>>,
  { constant = false } = {},
): Weights {
  if (precision === 'fp32') {
    const held = constant
      ? { constants: new Map(Object.entries(parameters)), fed: {} }
      : { constants: new Map(), fed: parameters };
    return { ...held, products: new Map(), tables: new Map() };
  }
  const plan = planOf(precision, model);
  const constants = new Map<string, Float32Array | Uint8Array>();
  for (const { name, place, stored, codes, scales } of placesIn(plan, constants)) {
    const made = storeBlocks(parameters[name]!, place, stored.bits, stored.block);
    codes.set(made.codes);
    scales.set(made.scales);
  }
  // What stays as it is would else hold on to the vector that it is a view of.
  for (const { name } of plan.whole) constants.set(name, parameters[name]!.slice());
  return { constants, fed: {}, products: plan.products, tables: plan.tables };
}

/**
 * What {@link weightsIn} gives in few bits, to the bit: an engine rounds what it can, in a third of the time. Where the model's
 * files have one parameter after another they are read so, and are never in memory all together.
 *
 * @throws MeanfieldError when tensors are damaged, or tied ones differ
 */
export async function weightsBy(
  engine: AnySizeEngine,
  threads: number,
  precision: 'int8' | 'int4',
  { model, parameter, parameters }: Pick<OpenTextModel, 'model' | 'parameter' | 'parameters'>,
): Promise<Weights> {
  const read = parameter ? inTurn(model, parameter) : viewed(model.layout.views(await parameters()));
  const plan = planOf(precision, model);
  const constants = new Map<string, Float32Array | Uint8Array>();
  const rounder = new BlockRounder(engine, threads);
  try {
    for (const { name, place, stored, codes, scales } of placesIn(plan, constants)) {
      const { bits, block } = stored;
      if (bits === 8 && place.rows === 'outputs') {
        await rounder.round(await read(name), place.inputs, block, { codes, scales });
        continue;
      }
      const made = storeBlocks(await read(name), place, bits, block);
      codes.set(made.codes);
      scales.set(made.scales);
    }
  } finally {
    await rounder.dispose();
  }
  for (const { name } of plan.whole) constants.set(name, (await read(name)).slice());
  return { constants, fed: {}, products: plan.products, tables: plan.tables };
}

const viewed =
  (views: Readonly<Record<string, Float32Array>>) =>
  async (name: string): Promise<Float32Array> =>
    views[name]!;

/** Reads one parameter after another, each into the place of the one before: fresh memory would take as long as the reading. */
function inTurn({ layout }: Model, parameter: NonNullable<OpenTextModel['parameter']>) {
  const sizes = new Map(layout.entries.map(({ name, size }) => [name, size]));
  const place = new Float32Array(Math.max(...sizes.values()));
  return async (name: string): Promise<Float32Array> => {
    const values = place.subarray(0, sizes.get(name)!);
    await parameter(name, values);
    return values;
  };
}

/** Makes room for what is stored, and tells where of it the codes and scales of each parameter go. */
function* placesIn({ stores }: WeightPlan, constants: Map<string, Float32Array | Uint8Array>) {
  for (const { stored, parts } of stores) {
    const { bits, block, inputs, outputs } = stored;
    const perRow = Math.ceil(inputs / block);
    const blocks = outputs.reduce((sum, n) => sum + n, 0) * perRow;
    const codes = new Uint8Array((blocks * block * bits) / 8);
    const scales = new Float32Array(blocks);
    constants.set(stored.name + CODES, codes);
    constants.set(stored.name + SCALES, scales);
    let from = 0;
    for (const part of parts) {
      const to = from + part.place.outputs * perRow;
      const [first, last] = [from, to].map((at) => (at * block * bits) / 8);
      yield { ...part, stored, codes: codes.subarray(first, last), scales: scales.subarray(from, to) };
      from = to;
    }
  }
}

/** What {@link weightsIn} makes of a model's parameters. */
interface WeightPlan extends Pick<Weights, 'products' | 'tables'> {
  /** What is stored in few bits, and of which parameters. */
  readonly stores: readonly {
    readonly stored: Stored;
    readonly parts: readonly { readonly name: string; readonly place: WeightPlace }[];
  }[];
  /** Parameters that stay as they are. */
  readonly whole: Model['layout']['entries'];
}

function planOf(precision: 'int8' | 'int4', model: Model): WeightPlan {
  const products = new Map<string, Stored & { readonly at: number }>();
  const tables = new Map<string, Stored>();
  const stores: WeightPlan['stores'][number][] = [];
  const places = weightPlaces(model);
  const head = model.architecture.head(model.config);
  for (const names of places.groups) {
    const group = names.map((name) => places.products.get(name)!);
    const [inputs, outputs] = [group[0]!.inputs, group.map((place) => place.outputs)];
    const fine = group.some((place) => bitsOf(place) === 8) || names[0] === head || places.tables.has(names[0]!);
    const bits = precision === 'int8' || fine ? 8 : 4;
    const block = names[0] === head ? headBlock(inputs) : BLOCKS[bits];
    const stored: Stored = { name: names.join('+'), bits, block, inputs, outputs };
    stores.push({ stored, parts: group.map((place, i) => ({ name: names[i]!, place })) });
    for (const [at, name] of names.entries()) products.set(name, { ...stored, at });
  }
  for (const [name, place] of places.tables) {
    const { inputs, outputs } = place;
    const stored = products.get(name) ?? { name, bits: 8, block: BLOCKS[8], inputs, outputs: [outputs] };
    tables.set(name, stored);
    if (!products.has(name)) stores.push({ stored, parts: [{ name, place }] });
  }
  const whole = model.layout.entries.filter(({ name }) => !products.has(name) && !tables.has(name));
  return { products, tables, stores, whole };
}

/**
 * The weights that {@link weightsIn} gives, made of its constants.
 *
 * @param read the constant of a name, of so many elements
 */
export async function weightsOf(
  precision: 'int8' | 'int4',
  model: Model,
  read: <T extends typeof Float32Array | typeof Uint8Array>(
    name: string,
    Type: T,
    length: number,
  ) => Promise<InstanceType<T>>,
): Promise<Weights> {
  const { products, tables, stores, whole } = planOf(precision, model);
  const named = await Promise.all([
    ...stores.flatMap(({ stored: { name, bits, block, inputs, outputs } }) => {
      const blocks = outputs.reduce((sum, n) => sum + n, 0) * Math.ceil(inputs / block);
      return [
        read(name + CODES, Uint8Array, (blocks * block * bits) / 8).then((codes) => [name + CODES, codes] as const),
        read(name + SCALES, Float32Array, blocks).then((scales) => [name + SCALES, scales] as const),
      ];
    }),
    ...whole.map(({ name, size }) => read(name, Float32Array, size).then((values) => [name, values] as const)),
  ]);
  return { constants: new Map<string, Float32Array | Uint8Array>(named), fed: {}, products, tables };
}

/** The weights of products, those that are stored together, and the tables of tokens. */
function weightPlaces(model: Model) {
  const products = new Map<string, WeightPlace>();
  const tables = new Map<string, WeightPlace>();
  const together = new Map<string, readonly string[]>();
  const kept: Tensor[] = [];
  const attend: Attend = (_layer, q, k, v) => {
    kept.push(k, v);
    const parts = [q, k, v].map(projection);
    const names = parts.map((part) => nameOf(part && productWeight(part)));
    const same = parts.every((part) => part !== undefined && part.inputs[0] === parts[0]!.inputs[0]);
    if (same && new Set(names).size === names.length) for (const name of names) together.set(name, names);
    return q;
  };
  const [ids_N, positions_T] = ['ids', 'positions'].map((name) => input(name, [1], 'int64')) as [Tensor, Tensor];
  const parameters = model.parameterInputs();
  const x_NC = model.forward(parameters, { ids_N, batch: 1, positions_T, attend });
  replaceNodes([model.logits(parameters, x_NC), ...kept], (node) => {
    const weight = productWeight(node);
    if (weight) {
      products.set(nameOf(weight), placeOf(node));
    }
    const table = tokenTable(node);
    if (table) tables.set(nameOf(table), { rows: 'outputs', outputs: table.shape[0]!, inputs: table.shape[1]! });
    return undefined;
  });
  const groups = new Set([...products.keys()].map((name) => together.get(name) ?? name));
  return { products, tables, groups: [...groups].map((group) => (typeof group === 'string' ? [group] : group)) };
}

/** What operators between a layer's product and attention do in place. */
const IN_PLACE = new Set(['reshape', 'rotary', 'rmsNorm']);

/** The product that queries, keys or values come of. */
function projection({ node }: Tensor): Node | undefined {
  if (productWeight(node)) return node;
  return IN_PLACE.has(node.operator.name) ? projection(node.inputs[0]!) : undefined;
}

export const isInput = (x: Tensor | undefined): boolean => x?.node.operator.name === 'input';

/** The name of an input; of none, a name that none has. */
export const nameOf = (x: Tensor | undefined): string => (x === undefined ? '' : (x.node.attributes.name as string));

/** The weight of a product, where it is a parameter. */
export function productWeight({ operator, inputs, attributes }: Node): Tensor | undefined {
  return operator.name === 'gemm' && !attributes.transA && isInput(inputs[1]) ? inputs[1] : undefined;
}

/** How the weight of a product lies. */
export function placeOf({ inputs, attributes }: Node): WeightPlace {
  const [first, second] = inputs[1]!.shape as [number, number];
  return attributes.transB
    ? { rows: 'outputs', outputs: first, inputs: second }
    : { rows: 'inputs', inputs: first, outputs: second };
}

/** The table that rows of tokens are taken from. */
export function tokenTable({ operator, inputs }: Node): Tensor | undefined {
  const [table, ids] = inputs;
  return operator.name === 'gather' && isInput(table) && isInput(ids) && nameOf(ids) === 'ids' ? table : undefined;
}

/** A model's parameters, by their names, with the shapes that a program whose sizes a run tells wants beside them. */
export function shapedParameters(
  { layout, trained }: Model,
  parameters: Readonly<Record<string, Float32Array>>,
): Readonly<Record<string, ShapedArray>> {
  const shapes = new Map([...layout.entries, ...trained.entries].map(({ name, shape }) => [name, shape]));
  return Object.fromEntries(
    Object.entries(parameters).map(([name, data]) => [name, { data, shape: shapes.get(name)! }]),
  );
}
