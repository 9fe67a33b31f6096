import { UsageError } from '../../base/errors.js';
import type { SampleList } from '../../data/sampling/shuffled-samples.js';
import type { Shape, Tensor } from '../../graph/index.js';
import type { ParameterSpec } from '../../model/layout.js';

export type { Initialization, ParameterSpec } from '../../model/layout.js';
export type { SampleList };

/**
 * A model of one's own: which parameters it has, and what it makes of its inputs. It knows no loss.
 *
 * @category A model of one's own
 */
export interface ArchitectureDefinition<Name extends string = string> {
  /** As `run.json` and the model's `config.json` name it. */
  readonly name: string;
  /** In the order in which they are stored and begin. Matrices are decayed, vectors are not. */
  readonly parameters: readonly (ParameterSpec & { readonly name: Name })[];
  /**
   * Traces the model; called for each size of a micro-batch, never with numbers.
   *
   * @param parameters traced tensors by name
   * @param inputs as the objective gives them
   */
  forward(parameters: Readonly<Record<Name, Tensor>>, ...inputs: Tensor[]): Tensor;
}

/**
 * An array that each sample has.
 *
 * @category A model of one's own
 */
export interface FeedDefinition {
  /** Of one sample; `[]` for a single value. A micro-batch is fed as `[batch, ...shape]`. */
  readonly shape: Shape;
  /** `int64` for whole numbers such as classes. Default `float32`. */
  readonly dtype?: 'float32' | 'int64';
}

/**
 * What a sample has for a feed: as many values as the feed's shape has, in row-major order, or one value.
 *
 * @category A model of one's own
 */
export type FeedValue = number | bigint | ArrayLike<number> | ArrayLike<bigint>;

/**
 * What a model of one's own learns: what it is fed of a sample, and what that costs.
 *
 * @category A model of one's own
 */
export interface ObjectiveDefinition<Sample = unknown, Name extends string = string> {
  /** As `run.json` names it. */
  readonly name: string;
  /** The arrays of a sample, by name. */
  readonly feeds: Readonly<Record<Name, FeedDefinition>>;
  /** The values of a sample for each of them. */
  feed(sample: Sample): Readonly<Record<Name, FeedValue>>;
  /**
   * Traces the sum of the losses of a micro-batch's targets: a float32 scalar, the lower the better.
   *
   * @param forward the model
   * @param feeds traced tensors by name, `[batch, ...shape]`
   */
  loss(forward: (...inputs: Tensor[]) => Tensor, feeds: Readonly<Record<Name, Tensor>>): Tensor;
  /**
   * How many targets a sample has: what it counts for in every average of losses, steps and replicas. Default 1.
   */
  weight?(sample: Sample): number;
}

/**
 * Samples of one's own.
 *
 * @category A model of one's own
 */
export interface Samples<Sample = unknown> {
  readonly training: SampleList<Sample>;
  /** Held out: which model is best is decided by the mean loss on all of them. */
  readonly validation: SampleList<Sample>;
}

/**
 * Gives the samples of a model of one's own; called once in each thread, so it must give the same ones each time.
 *
 * @category A model of one's own
 */
export type SamplesDefinition<Sample = unknown> = () => Samples<Sample> | Promise<Samples<Sample>>;

/** What a module of one's own exports. */
export interface OwnModule {
  readonly architecture: ArchitectureDefinition;
  readonly objective: ObjectiveDefinition<never>;
  readonly samples: SamplesDefinition;
}

/**
 * Defines a model of one's own, to be exported as `architecture` from the module that `train` is given.
 *
 * @throws UsageError that says what is wrong with it
 *
 * @example
 * import { defineArchitecture } from 'meanfield';
 * import { gemm } from 'meanfield/graph';
 *
 * export const architecture = defineArchitecture({
 *   name: 'linear',
 *   parameters: [
 *     { name: 'weight', shape: [3, 1], initialization: { normal: 0.1 } },
 *     { name: 'bias', shape: [1], initialization: { fill: 0 } },
 *   ],
 *   forward: (parameters, x_B3) => gemm(x_B3, parameters.weight, parameters.bias),
 * });
 *
 * @category A model of one's own
 */
export function defineArchitecture<const Name extends string>(
  definition: ArchitectureDefinition<Name>,
): ArchitectureDefinition<Name> {
  checkArchitecture(definition, 'defineArchitecture');
  return definition;
}

/**
 * Defines what a model of one's own learns, to be exported as `objective` from the module that `train` is given.
 *
 * @throws UsageError that says what is wrong with it
 *
 * @example
 * import { defineObjective } from 'meanfield';
 * import { mul, reduceSum, sub } from 'meanfield/graph';
 *
 * export const objective = defineObjective({
 *   name: 'squared error',
 *   feeds: { x: { shape: [3] }, y: { shape: [1] } },
 *   feed: ({ x, y }: { x: number[]; y: number }) => ({ x, y }),
 *   loss(forward, { x, y }) {
 *     const error = sub(forward(x), y);
 *     return reduceSum(mul(error, error), [0, 1]);
 *   },
 * });
 *
 * @category A model of one's own
 */
export function defineObjective<Sample, const Name extends string>(
  definition: ObjectiveDefinition<Sample, Name>,
): ObjectiveDefinition<Sample, Name> {
  checkObjective(definition, 'defineObjective');
  return definition;
}

/**
 * Defines the samples of a model of one's own, to be exported as `samples` from the module that `train` is given.
 *
 * @throws UsageError when it is no function
 *
 * @example
 * import { readFile } from 'node:fs/promises';
 * import { defineSamples } from 'meanfield';
 *
 * export const samples = defineSamples(async () => {
 *   const rows = JSON.parse(await readFile(new URL('./rows.json', import.meta.url), 'utf8'));
 *   return { training: rows.slice(100), validation: rows.slice(0, 100) };
 * });
 *
 * @category A model of one's own
 */
export function defineSamples<Sample>(definition: SamplesDefinition<Sample>): SamplesDefinition<Sample> {
  checkSamples(definition, 'defineSamples');
  return definition;
}

/** @param where what a message begins with @throws UsageError */
export function checkArchitecture(value: unknown, where: string): asserts value is ArchitectureDefinition {
  const { name, parameters, forward } = fields(value, where, '{ name, parameters, forward }');
  requireName(name, where);
  if (!Array.isArray(parameters) || parameters.length === 0)
    throw wrong(where, 'parameters', 'a list of one or more { name, shape, initialization }', parameters);
  const names = new Set<string>();
  for (const [i, one] of parameters.entries()) {
    const at = `parameters[${i}]`;
    const { name, shape, initialization } = fields(one, `${where}: ${at}`, '{ name, shape, initialization }');
    if (typeof name !== 'string' || name === '') throw wrong(where, `${at}.name`, 'a name', name);
    if (names.has(name)) throw new UsageError(`${where}: two parameters are named ${name}. Give each its own name.`);
    names.add(name);
    if (!isShape(shape) || shape.length === 0)
      throw wrong(where, `${at}.shape`, 'sizes of 1 or more, such as [64, 10]', shape);
    const start = (initialization ?? {}) as { normal?: unknown; fill?: unknown };
    if (![start.normal, start.fill].some((number) => typeof number === 'number' && Number.isFinite(number)))
      throw wrong(
        where,
        `${at}.initialization`,
        '{ normal: standardDeviation } or { fill: value }, of a finite number',
        initialization,
      );
  }
  requireFunction(forward, where, 'forward', '(parameters, ...inputs) => tensor');
}

/** @param where what a message begins with @throws UsageError */
export function checkObjective(value: unknown, where: string): asserts value is ObjectiveDefinition<never> {
  const { name, feeds, feed, loss, weight } = fields(value, where, '{ name, feeds, feed, loss }');
  requireName(name, where);
  const all = Object.entries(fields(feeds, `${where}: feeds`, 'an object such as { x: { shape: [3] } }'));
  if (all.length === 0) throw wrong(where, 'feeds', 'one array or more, such as { x: { shape: [3] } }', feeds);
  for (const [key, one] of all) {
    const { shape, dtype = 'float32' } = fields(one, `${where}: feeds.${key}`, '{ shape, dtype }');
    if (!isShape(shape)) throw wrong(where, `feeds.${key}.shape`, 'the sizes of one sample, [] for one value', shape);
    if (dtype !== 'float32' && dtype !== 'int64')
      throw wrong(where, `feeds.${key}.dtype`, "'float32' or 'int64'", dtype);
  }
  requireFunction(feed, where, 'feed', '(sample) => values by the names of feeds');
  requireFunction(loss, where, 'loss', '(forward, feeds) => scalar tensor');
  if (weight !== undefined)
    requireFunction(weight, where, 'weight', '(sample) => number of targets, or nothing at all');
}

/** @param where what a message begins with @throws UsageError */
export function checkSamples(value: unknown, where: string): asserts value is SamplesDefinition {
  if (typeof value !== 'function')
    throw new UsageError(
      `${where}: expected a function that gives { training, validation }, got ${kindOf(value)}. Write () => ({ … }).`,
    );
}

/** What came, for a message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${(value as Float32Array).length}`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object') return JSON.stringify(value) ?? String(value);
  const keys = Object.keys(value);
  return `an object with ${keys.length === 0 ? 'no keys' : keys.slice(0, 6).join(', ')}`;
}

function fields(value: unknown, where: string, expected: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UsageError(`${where}: expected ${expected}, got ${kindOf(value)}.`);
}

function requireName(name: unknown, where: string): void {
  if (typeof name !== 'string' || name === '') throw wrong(where, 'name', "a name, such as 'digits'", name);
}

function requireFunction(value: unknown, where: string, key: string, signature: string): void {
  if (typeof value !== 'function') throw wrong(where, key, `a function, ${signature}`, value);
}

function isShape(value: unknown): value is Shape {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size > 0);
}

function wrong(where: string, key: string, expected: string, came: unknown): UsageError {
  const got = Array.isArray(came) ? JSON.stringify(came).slice(0, 100) : kindOf(came);
  return new UsageError(`${where}: expected ${key} to be ${expected}, got ${got}.`);
}
