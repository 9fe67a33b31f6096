import { snakeKeys } from '../../base/snake-keys.js';
import type { ProgressEvent } from '../../run/events.js';
import type { RunPaths } from '../../run/run-folder.js';
import { RunLog } from '../../run/run-log.js';
import { learningRate, type ScheduleOptions } from '../../training/schedule.js';
import type { CoordinatorEvent, RoundEvent } from '../events.js';
import { type RunLength, schedulePosition } from './plan.js';
import type { CommittedProgress } from './run-state.js';

/** Keeps a run's figures: `metrics.jsonl`, TensorBoard, and the events for whoever watches. */
export class Figures {
  /** Of this process's rounds but for the first, in which caches and compilers warm up. */
  #counted: { tokens: number; seconds: number } | undefined;

  private constructor(
    private readonly plan: RunLength,
    private readonly schedule: ScheduleOptions,
    private readonly log: RunLog,
    private readonly emit: (event: CoordinatorEvent) => void,
  ) {}

  /** @param resumedAt the committed step that the run goes on from; undefined for a new run */
  static async open(
    paths: RunPaths,
    resumedAt: number | undefined,
    plan: RunLength,
    schedule: ScheduleOptions,
    emit: (event: CoordinatorEvent) => void,
  ): Promise<Figures> {
    return new Figures(plan, schedule, await RunLog.open(paths, resumedAt), emit);
  }

  get tokensPerSecond(): number {
    return this.#counted && this.#counted.seconds > 0 ? this.#counted.tokens / this.#counted.seconds : 0;
  }

  /** A round is committed. */
  round(event: RoundEvent, progress: CommittedProgress): void {
    if (this.#counted) {
      this.#counted.tokens += event.tokens;
      this.#counted.seconds += event.seconds.round;
    } else this.#counted = { tokens: 0, seconds: 0 };
    const told = event.loss === null ? null : this.#progress(event, event.loss, progress);
    if (told)
      this.log.metrics.append({ type: told.type, ...snakeKeys({ ...told, memoryBytes: process.memoryUsage.rss() }) });
    this.log.metrics.append({ type: event.type, ...snakeKeys(event) });
    this.log.board.scalars(event.step, {
      ...(told && { 'loss/train': told.loss, 'learning rate': told.lr, 'tokens per second': told.tokensPerSecond }),
      workers: event.workers.length,
      utilization: event.utilization,
    });
    if (told) this.emit(told);
    this.emit(event);
  }

  evaluation(step: number, loss: number): void {
    this.emit(this.log.evaluation(step, loss));
  }

  /** Makes all figures outlast a power cut. */
  sync(): Promise<void> {
    return this.log.sync();
  }

  close(): Promise<void> {
    return this.log.close();
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
