import { isBetter, type Metric } from '../objectives/objective.js';
import type { ParsedTrainOptions } from './options.js';

/** Evaluations without a better one after which it is told that the model learns its text by heart. */
const TELL_AFTER = 3;
/** By how much the validation loss must have risen above the best, and the training loss fallen. */
const RISEN = 1.005;

/** The evaluations of a run so far, as a checkpoint keeps them. */
export interface StandingRecord {
  /** The last evaluation, in nats per token; null before the first. */
  readonly val_loss: number | null;
  readonly best_val_loss: number | null;
  /** Of the best evaluation, with the training loss then. */
  readonly best_step: number | null;
  readonly best_train_loss: number | null;
  /** Evaluations since the best. */
  readonly since_best: number;
  /** Whether it was told that the model learns its text by heart. */
  readonly told_overfitting: boolean;
}

/** The evaluations of a run so far: the last, the best, and whether it goes on getting better. */
export class Standing {
  #last: number | null;
  #best: number | null;
  #bestStep: number | null;
  #bestTrainLoss: number | null;
  #sinceBest: number;
  #told: boolean;

  /**
   * @param before what earlier processes found, as far as it was kept
   * @param metric which of two evaluations is better
   */
  constructor(
    before: Partial<StandingRecord>,
    private readonly metric: Metric,
  ) {
    this.#last = before.val_loss ?? null;
    this.#best = before.best_val_loss ?? null;
    this.#bestStep = before.best_step ?? null;
    this.#bestTrainLoss = before.best_train_loss ?? null;
    this.#sinceBest = before.since_best ?? 0;
    this.#told = before.told_overfitting ?? false;
  }

  /** The last validation loss, in nats per token; null before the first. */
  get last(): number | null {
    return this.#last;
  }

  get best(): number | null {
    return this.#best;
  }

  get bestStep(): number | null {
    return this.#bestStep;
  }

  /** Whether the last evaluation ends the run. */
  reached({
    untilLoss,
    patience,
  }: Pick<ParsedTrainOptions, 'untilLoss' | 'patience'>): 'loss' | 'patience' | undefined {
    if (untilLoss !== undefined && this.#last !== null && this.#last < untilLoss) return 'loss';
    return patience !== undefined && this.#sinceBest >= patience ? 'patience' : undefined;
  }

  /** Evaluations since the best. */
  get sinceBest(): number {
    return this.#sinceBest;
  }

  /** Takes an evaluation in. @returns whether it is the best so far */
  add(step: number, loss: number, trainLoss: number | null): boolean {
    this.#last = loss;
    if (this.#best !== null && !isBetter(this.metric, loss, this.#best)) {
      this.#sinceBest++;
      return false;
    }
    this.#best = loss;
    this.#bestStep = step;
    this.#bestTrainLoss = trainLoss;
    this.#sinceBest = 0;
    return true;
  }

  /**
   * Says, once in a run, that the model learns its text by heart: the validation loss has been above its best for
   * several evaluations while the training loss went on falling.
   */
  overfitting(trainLoss: number | null, model: string): string | undefined {
    const [best, then] = [this.#best, this.#bestTrainLoss];
    if (this.#told || this.#sinceBest < TELL_AFTER || best === null || then === null || trainLoss === null) return;
    if (this.#last! < RISEN * best || trainLoss > then / RISEN) return;
    this.#told = true;
    return (
      `The model has begun to learn by heart: the validation loss has risen from ${best.toFixed(3)} (step ` +
      `${this.#bestStep}) to ${this.#last!.toFixed(3)} while the training loss fell from ${then.toFixed(3)} to ` +
      `${trainLoss.toFixed(3)}. ${model} keeps the model of step ${this.#bestStep}. More data or a smaller model helps; ` +
      'patience, as a number of evaluations, ends a run that gets no better.'
    );
  }

  /** As a checkpoint keeps it. */
  get record(): StandingRecord {
    return {
      val_loss: this.#last,
      best_val_loss: this.#best,
      best_step: this.#bestStep,
      best_train_loss: this.#bestTrainLoss,
      since_best: this.#sinceBest,
      told_overfitting: this.#told,
    };
  }
}
