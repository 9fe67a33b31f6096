import { messageOf, UsageError } from '../../base/errors.js';
import type { HostArray } from '../../engine/engine.js';
import { formatShape, gradients, input, scale, sizeOf, type Tensor } from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import { ParameterLayout } from '../../model/layout.js';
import type { Feed, Objective } from '../objective.js';
import { type FeedDefinition, kindOf, type OwnModule } from './definitions.js';

type Definitions = Pick<OwnModule, 'architecture' | 'objective'>;

/** What a module of one's own defines, as an objective like any other; what does not fit is told by name. */
export class Own implements Objective<unknown> {
  readonly name: string;
  readonly layout: ParameterLayout;
  readonly frozen = new ParameterLayout([]);
  readonly generative = false;
  readonly metrics = [{ name: 'loss', better: 'lower' }] as const;
  readonly #architecture: Definitions['architecture'];
  readonly #objective: Definitions['objective'];
  readonly #feeds: readonly (readonly [string, FeedDefinition])[];

  /** @param file what the module is called in messages */
  constructor(
    { architecture, objective }: Definitions,
    private readonly file: string,
  ) {
    this.#architecture = architecture;
    this.#objective = objective;
    this.name = objective.name;
    this.layout = new ParameterLayout(architecture.parameters);
    this.#feeds = Object.entries(objective.feeds);
  }

  feeds(batch: number): readonly Feed[] {
    return this.#feeds.map(([name, { shape, dtype = 'float32' }]) => ({ name, shape: [batch, ...shape], dtype }));
  }

  fill(samples: readonly unknown[], arrays: Readonly<Record<string, HostArray>>): number {
    let weight = 0;
    for (const [i, sample] of samples.entries()) {
      const values = this.#user('feed', () => this.#objective.feed(sample as never));
      for (const [name, feed] of this.#feeds) this.#write(name, feed, values?.[name], arrays[name]!, i);
      weight += this.#weight(sample);
    }
    return weight;
  }

  loss(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    const { forward } = this.#architecture;
    const named = nameUnknown(parameters, `${this.file}: the architecture has no parameter`);
    const fed = nameUnknown(feeds, `${this.file}: the objective has no feed`);
    const loss = this.#traced(batch, () => this.#objective.loss((...inputs) => forward(named, ...inputs), fed));
    this.#requireScalar(loss);
    this.#requireAllParameters(loss, parameters);
    return scale(loss, 1 / this.unit(batch));
  }

  /** A target a sample, unless the objective says otherwise. */
  unit(batch: number): number {
    return batch;
  }

  /**
   * Traces what a step will, so that what does not fit is told before anything slow.
   *
   * @throws UsageError
   */
  check(batch: number): void {
    const { entries } = this.layout;
    const parameters = Object.fromEntries(entries.map(({ name, shape }) => [name, input(`parameters/${name}`, shape)]));
    const feeds = Object.fromEntries(
      this.feeds(batch).map(({ name, shape, dtype }) => [name, input(name, shape, dtype)]),
    );
    const loss = this.loss(parameters, feeds, batch);
    this.#traced(batch, () =>
      gradients(
        loss,
        entries.map(({ name }) => parameters[name]!),
      ),
    );
  }

  #weight(sample: unknown): number {
    const weight = this.#user('weight', () => this.#objective.weight?.(sample as never) ?? 1);
    if (typeof weight === 'number' && Number.isFinite(weight) && weight > 0) return weight;
    throw this.#error(`expected objective.weight to give a number above 0, got ${kindOf(weight)}`);
  }

  /** Copies a sample's values into the micro-batch. */
  #write(
    name: string,
    { shape, dtype = 'float32' }: FeedDefinition,
    value: unknown,
    into: HostArray,
    at: number,
  ): void {
    const size = sizeOf(shape);
    const single = typeof value === 'number' || typeof value === 'bigint';
    const list = (single ? [value] : value) as ArrayLike<number | bigint>;
    if (typeof list !== 'object' || list === null || list.length !== size) {
      const expected = `${size} ${size === 1 ? 'value' : 'values'} of ${dtype} for the shape ${formatShape(shape)}`;
      throw this.#error(
        `expected objective.feed to give ${expected} as ${name}, got ${kindOf(value)}. Allowed: an array, a typed array` +
          `${size === 1 ? ', a number' : ''}; or correct feeds.${name}.shape`,
      );
    }
    try {
      if (into instanceof BigInt64Array) for (let i = 0; i < size; i++) into[at * size + i] = BigInt(list[i]!);
      else for (let i = 0; i < size; i++) into[at * size + i] = real(list[i]!);
    } catch (error) {
      const allowed = dtype === 'int64' ? 'whole numbers and bigints' : 'numbers';
      throw this.#error(
        `expected objective.feed to give ${dtype} as ${name}, but ${messageOf(error)}. Allowed: ${allowed}; or another ` +
          `feeds.${name}.dtype`,
      );
    }
  }

  /** What the module's own function gives; what it fails with is told with its name. */
  #user<T>(name: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw this.#error(`objective.${name} failed: ${messageOf(error)}`, error);
    }
  }

  #traced<T>(batch: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const list = (all: readonly { readonly name: string; readonly shape: readonly number[] }[]) =>
        all.map(({ name, shape }) => `${name} ${formatShape(shape)}`).join(', ');
      throw this.#error(
        `${this.name} of ${this.#architecture.name} cannot be traced for a micro-batch of ${batch}: ${messageOf(error)}. ` +
          `Feeds: ${list(this.feeds(batch))}. Parameters: ${list(this.#architecture.parameters)}. Correct ` +
          'architecture.forward, objective.loss or the shape that does not fit',
        error,
      );
    }
  }

  #requireScalar(loss: unknown): void {
    const { shape, dtype, node } = (loss ?? {}) as Partial<Tensor>;
    if (node !== undefined && shape?.length === 0 && dtype === 'float32') return;
    const got = node === undefined ? kindOf(loss) : `a ${dtype} tensor of shape ${formatShape(shape!)}`;
    throw this.#error(
      `expected objective.loss to give a float32 scalar, the sum over the micro-batch, got ${got}. Sum it: ` +
        'reduceSum(losses, [0, …]) over every axis',
    );
  }

  #requireAllParameters(loss: Tensor, parameters: TracedParameters): void {
    const seen = new Set<Tensor['node']>();
    const stack = [loss.node];
    for (let node = stack.pop(); node; node = stack.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      stack.push(...node.inputs.map((tensor) => tensor.node));
    }
    const unused = Object.keys(parameters).filter((name) => !seen.has(parameters[name]!.node));
    if (unused.length > 0)
      throw this.#error(
        `the loss does not depend on ${unused.join(', ')}. Use every parameter in architecture.forward, or leave it out`,
      );
  }

  #error(message: string, cause?: unknown): UsageError {
    return new UsageError(`${this.file}: ${message}.`, { cause });
  }
}

function real(value: unknown): number {
  if (typeof value === 'number') return value;
  throw new TypeError(`${kindOf(value)} is no number`);
}

/** The same object, which says what there is when it is asked for what there is not. */
function nameUnknown<T extends object>(object: T, what: string): T {
  return new Proxy(object, {
    get(target, key, receiver) {
      if (typeof key === 'string' && !Object.hasOwn(target, key))
        throw new UsageError(`${what} ${key}. Allowed: ${Object.keys(target).join(', ')}.`);
      return Reflect.get(target, key, receiver);
    },
  });
}
