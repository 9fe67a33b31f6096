import type { CompileOptions, Engine, Session } from '../engine/engine.js';
import type { Model } from '../model/model.js';
import { traceLoss, vectorArrays } from './step-program.js';
import { fillTokens } from './tokens.js';

/** A row of tokens of which any range can be read, such as a data set's validation part. */
export interface Tokens {
  read(start: number, count: number, into: Int32Array, offset: number): Int32Array;
}

/** Computes a model's loss over windows of `length` tokens, several at a time, without a gradient. */
export class Evaluator {
  readonly #sessions = new Map<number, Session>();

  /**
   * @param length tokens that the model sees in a window
   * @param batch windows in one run of the graph, at most
   */
  constructor(
    private readonly model: Model,
    private readonly engine: Engine,
    private readonly length: number,
    private readonly batch: number,
    private readonly compile: CompileOptions = {},
  ) {}

  /**
   * The sum of the windows' mean losses, in nats per token; divided by the number of windows it is the mean.
   *
   * @param parameters the model's vector
   * @param starts where the windows start in `tokens`; each is read as `length` + 1 tokens
   */
  async lossSum(parameters: Float32Array, tokens: Tokens, starts: readonly number[]): Promise<number> {
    const { model, engine, length } = this;
    const views = vectorArrays(model.layout, 'parameters', parameters, engine.views);
    let sum = 0;
    for (let first = 0; first < starts.length; first += this.batch) {
      const batch = Math.min(this.batch, starts.length - first);
      const rows = new Int32Array(batch * (length + 1));
      for (let row = 0; row < batch; row++) tokens.read(starts[first + row]!, length + 1, rows, row * (length + 1));
      const [ids, targets] = [new BigInt64Array(batch * length), new BigInt64Array(batch * length)];
      fillTokens(rows, { batch, length }, ids, targets);
      const session = await this.#session(batch);
      const { loss } = await session.run({ ...views, ids, targets });
      sum += (loss![0] as number) * batch;
    }
    return sum;
  }

  async dispose(): Promise<void> {
    for (const session of this.#sessions.values()) await session.dispose();
    this.#sessions.clear();
  }

  async #session(batch: number): Promise<Session> {
    const known = this.#sessions.get(batch);
    if (known) return known;
    const program = traceLoss(this.model, { batch, length: this.length }, this.engine);
    const session = await this.engine.compile(program, this.compile);
    this.#sessions.set(batch, session);
    return session;
  }
}
