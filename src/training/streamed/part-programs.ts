import type { Engine, HostArray, HostArrays, Session, SessionOptions } from '../../engine/engine.js';
import { add, encode, gradients, input, mul, type Program, reduceSum, type Tensor } from '../../graph/index.js';
import { type LayerPart, STATE } from './cut-graph.js';

/** The gradient of what a part gives, and of what it is given. */
const GIVEN = 'dy';
const STATE_GRADIENT = 'dx';
const gradientName = (entry: number): string => `g/${entry}`;
const sumName = (entry: number): string => `sum/${entry}`;

/** What a part's programs are fed and fill, with a section's arrays in the order of its entries. */
export interface PartRun {
  readonly x: Float32Array;
  readonly parameters: readonly Float32Array[];
  /** The micro-batch's own; programs take those that they read. */
  readonly feeds: HostArrays;
}

/** The programs of a part, compiled once for all parts that are alike. */
export class PartPrograms {
  readonly #forward: Session;
  readonly #backward: Session;
  readonly #accumulates: boolean;

  private constructor(forward: Session, backward: Session, accumulates: boolean) {
    this.#forward = forward;
    this.#backward = backward;
    this.#accumulates = accumulates;
  }

  /**
   * Compiles the programs of several parts: those whose graphs are the same, as of blocks, share them.
   *
   * @param accumulates whether gradients of several micro-batches are summed
   * @returns one for each part, in order, and all that were made
   */
  static async compile(
    engine: Engine,
    parts: readonly LayerPart[],
    accumulates: boolean,
    compile: SessionOptions = {},
  ): Promise<{ readonly of: readonly PartPrograms[]; readonly all: readonly PartPrograms[] }> {
    const known: { readonly program: Program; readonly programs: PartPrograms }[] = [];
    const of: PartPrograms[] = [];
    for (const part of parts) {
      const program = traceForward(part, engine);
      let same = known.find((other) => equal(other.program.onnx, program.onnx));
      if (!same) {
        const forward = await engine.compile(program, compile);
        const backward = await engine.compile(traceBackward(part, accumulates, engine), compile);
        same = { program, programs: new PartPrograms(forward, backward, accumulates) };
        known.push(same);
      }
      of.push(same.programs);
    }
    return { of, all: known.map(({ programs }) => programs) };
  }

  /** @param into the state after it */
  async forward(run: PartRun, into: Float32Array): Promise<void> {
    await this.#forward.run(partFeeds(this.#forward, run), { y: into });
  }

  /**
   * The gradients by the state and by the parameters, with all of the part between computed again.
   *
   * @param dy by what it gives
   * @param into by its state, and by those of its parameters that learn, to which it is added where programs accumulate
   */
  async backward(
    { x, parameters, feeds }: PartRun,
    dy: Float32Array,
    into: { readonly x: Float32Array; readonly parameters: readonly Float32Array[] },
  ): Promise<void> {
    const all = {
      ...{ [STATE]: x, [GIVEN]: dy, ...named('p/', parameters), ...feeds },
      ...(this.#accumulates && named('sum/', into.parameters)),
    };
    // In place: a sum is read by the addition that writes it.
    const outputs = { [STATE_GRADIENT]: into.x, ...named('g/', into.parameters) };
    await this.#backward.run(needed(this.#backward, all), outputs);
  }

  async dispose(): Promise<void> {
    await this.#forward.dispose();
    await this.#backward.dispose();
  }
}

/** The programs of a part, as {@link PartPrograms} runs them. */
export function traceForward({ y_NC }: LayerPart, { target }: Pick<Engine, 'target'>): Program {
  return encode({ y: y_NC }, target);
}

export function traceBackward(
  { x_NC, y_NC, parameters, learned = [...parameters.keys()] }: LayerPart,
  accumulates: boolean,
  { target }: Pick<Engine, 'target'>,
): Program {
  const along = reduceSum(mul(y_NC, input(GIVEN, y_NC.shape)), [0, 1]);
  const [dx, ...own] = gradients(along, [x_NC, ...learned.map((i) => parameters[i]!)]) as [Tensor, ...Tensor[]];
  const summed = own.map((part, i) => (accumulates ? add(input(sumName(i), part.shape), part) : part));
  const outputs = Object.fromEntries(summed.map((part, i) => [gradientName(i), part]));
  return encode({ [STATE_GRADIENT]: dx, ...outputs }, target);
}

/**
 * Compiles programs, each once however many there are of it, as of blocks.
 *
 * @returns a session for each, in order, and all that were made
 */
export async function compileAlike(
  engine: Engine,
  programs: readonly Program[],
  compile: SessionOptions = {},
): Promise<{ readonly of: readonly Session[]; readonly all: readonly Session[] }> {
  const all: Session[] = [];
  const of: Session[] = [];
  for (const program of programs) {
    let same = all.find((other) => equal(other.program.onnx, program.onnx));
    if (!same) {
      same = await engine.compile(program, compile);
      all.push(same);
    }
    of.push(same);
  }
  return { of, all };
}

/** What a part's program is fed: of what there is, what it reads. */
export function partFeeds(session: Session, { x, parameters, feeds }: PartRun): Readonly<Record<string, HostArray>> {
  return needed(session, { [STATE]: x, ...named('p/', parameters), ...feeds });
}

function named(prefix: string, arrays: readonly Float32Array[]): Record<string, Float32Array> {
  return Object.fromEntries(arrays.map((array, i) => [`${prefix}${i}`, array]));
}

function needed({ program }: Session, all: HostArrays): Record<string, HostArray> {
  return Object.fromEntries([...program.inputs.keys()].map((name) => [name, all[name]!]));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
