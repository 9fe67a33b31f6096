import type { ThreadHost } from '../base/threads/serve.js';
import type { SessionOptions } from '../engine/engine.js';
import { lossOfSteps, weightOfSteps } from './mean-step.js';
import type { StepDone } from './messages.js';

/** What each command is given and answers. */
type Table<C> = { [N in keyof C]: readonly [unknown, unknown] };

/** How each command is carried out; `onStep` hears of inner steps. */
export type Commands<C extends Table<C>> = {
  [N in keyof C]: (input: C[N][0], onStep: (step: StepDone) => void) => Promise<C[N][1]>;
};

/** What came of some inner steps. */
export interface StepsDone {
  readonly steps: number;
  readonly seconds: number;
  /** The targets of all steps. */
  readonly weight: number;
  /** The mean over those targets. */
  readonly loss: number;
  /** The mean over the steps that were asked for. */
  readonly gradientNorm: number;
  /** The step whose loss or gradient was not finite, which was the last. */
  readonly fault?: StepDone;
}

/**
 * A model in a thread of its own, since a run of a graph blocks its thread: for a replica among those of this machine, for
 * a member of a run between machines, or for a coordinator.
 */
export abstract class ModelThread<C extends Table<C>, M extends { dispose(): Promise<void> }>
  implements ThreadHost<StepDone>
{
  #model: M | undefined;
  #cancelled = false;
  #turn: Promise<unknown> = Promise.resolve();

  protected abstract readonly commands: Commands<C>;

  handle<N extends keyof C>(name: N, input: C[N][0], onStep: (step: StepDone) => void = () => {}): Promise<C[N][1]> {
    return this.commands[name](input, onStep);
  }

  /** Ends the inner steps after the one in progress. */
  cancel(): void {
    this.#cancelled = true;
  }

  protected get model(): M {
    if (!this.#model) throw new Error('the first command must be init');
    return this.#model;
  }

  protected async open(model: Promise<M>): Promise<M> {
    this.#model = await model;
    return this.#model;
  }

  protected async close(): Promise<null> {
    await this.#model?.dispose();
    this.#model = undefined;
    return null;
  }

  /** Work of several commands goes on one piece after another. */
  protected inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * Makes inner steps; between two of them other commands have their turn.
   *
   * @param step makes one, counted from 0
   * @param begin comes before the first
   * @returns null: told to stop
   */
  protected async steps(
    count: number,
    step: (i: number) => Promise<StepDone>,
    onStep: (step: StepDone) => void,
    begin: () => Promise<void> = async () => {},
  ): Promise<StepsDone | null> {
    // From here on: who is told to stop while it waits for its turn must not miss it.
    this.#cancelled = false;
    await this.inTurn(begin);
    const all: StepDone[] = [];
    const sum = { gradientNorm: 0, seconds: 0 };
    const told = (steps: number) => ({ ...sum, steps, loss: lossOfSteps(all), weight: weightOfSteps(all) });
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      const done = await this.inTurn(() => step(i));
      sum.seconds += (performance.now() - started) / 1000;
      all.push(done);
      sum.gradientNorm += done.gradientNorm / count;
      onStep(done);
      if (!Number.isFinite(done.loss) || !Number.isFinite(done.gradientNorm)) return { ...told(i), fault: done };
      // Runs block the thread: only here can a message come in.
      await new Promise(setImmediate);
      if (this.#cancelled) return null;
    }
    return told(count);
  }
}

/** How graphs that train are compiled. @param alone whether no other replica shares the machine's cores */
export function trainingCompile(threads: number, alone: boolean): SessionOptions {
  // Threads that spin while their replica waits for the others would take the others' cores.
  return { threads, spinning: threads > 1 && alone };
}

/** How graphs that evaluate are compiled beside a training. */
export function evaluationCompile(threads: number): SessionOptions {
  // No arena: what an evaluation needs is given back, since the next one is far.
  return { threads, spinning: false, arena: false };
}
