import type { ProgressEvent } from '../../run/events.js';
import type { Recorder } from '../../run/recorder.js';
import { learningRate, type ScheduleOptions } from '../../training/schedule.js';
import type { RoundEvent } from '../events.js';
import { type RunLength, schedulePosition } from './plan.js';
import type { CommittedProgress } from './run-state.js';

/** Gathers what is committed round by round into lines for the {@link Recorder}. */
export class RoundFigures {
  /** Of this process's rounds but for the first, in which caches and compilers warm up. */
  #counted: { tokens: number; seconds: number } | undefined;

  constructor(
    private readonly recorder: Recorder<RoundEvent>,
    private readonly plan: RunLength,
    private readonly schedule: ScheduleOptions,
  ) {}

  get tokensPerSecond(): number {
    return this.#counted && this.#counted.seconds > 0 ? this.#counted.tokens / this.#counted.seconds : 0;
  }

  /** A round is committed. */
  round(event: RoundEvent, progress: CommittedProgress): void {
    if (this.#counted) {
      this.#counted.tokens += event.tokens;
      this.#counted.seconds += event.seconds.round;
    } else this.#counted = { tokens: 0, seconds: 0 };
    if (event.loss !== null) {
      const told = this.#progress(event, event.loss, progress);
      const scalars = { 'loss/train': told.loss, 'learning rate': told.lr, 'tokens per second': told.tokensPerSecond };
      this.recorder.write(told, scalars, { memory_bytes: process.memoryUsage.rss() });
    }
    this.recorder.write(event, { workers: event.workers.length, utilization: event.utilization });
  }

  #progress(event: RoundEvent, loss: number, progress: CommittedProgress): ProgressEvent {
    const position = schedulePosition(this.plan, progress);
    return {
      type: 'progress',
      step: event.step,
      totalSteps: totalSteps(this.plan, progress),
      round: event.round,
      loss,
      lr: learningRate(this.schedule, position),
      tokens: progress.tokens,
      tokensPerSecond: this.tokensPerSecond,
      etaSeconds: secondsLeft(this.plan, progress),
    };
  }
}

/** Steps per replica at the run's end, as far as they can be told. */
export function totalSteps(plan: RunLength, progress: CommittedProgress): number {
  const done = doneOf(plan, progress);
  if (plan.mostTokens === null && plan.mostSeconds === null) return plan.mostSteps;
  return done > 0 ? Math.round(progress.position / done) : plan.schedule;
}

function secondsLeft(plan: RunLength, progress: CommittedProgress): number {
  const done = doneOf(plan, progress);
  return done > 0 ? Math.max(0, (progress.seconds / done) * (1 - done)) : 0;
}

/** How much of the run is done, 0 to 1. */
function doneOf(
  { mostSteps, mostTokens, mostSeconds }: RunLength,
  { position, tokens, seconds }: CommittedProgress,
): number {
  if (mostTokens !== null) return Math.min(1, tokens / mostTokens);
  if (mostSeconds !== null) return Math.min(1, seconds / mostSeconds);
  return Math.min(1, position / mostSteps);
}
