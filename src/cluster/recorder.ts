import type { RunPaths } from '../training/run-folder.js';
import { learningRate, rateWithin, type ScheduleOptions, type ScheduleSpan } from '../training/schedule.js';
import type { ProgressEvent, TrainEvent } from './events.js';
import type { RunClock } from './run-clock.js';
import { RunLog } from './run-log.js';
import type { Progress } from './saved-state.js';
import type { JointStep } from './threads.js';
import type { Throughput } from './throughput.js';

/** A line of `metrics.jsonl` tells of at least so many steps, those of a round or more. */
const REPORT_EVERY = 10;
/** Between lines, whoever watches hears of a slow step so often: milliseconds. */
const TELL_EVERY = 1000;

/** What a {@link Recorder} needs to know of its run. */
export interface RecorderOptions {
  readonly paths: RunPaths;
  /** The step of the checkpoint that the run goes on from, 0 without one; undefined for a new run. */
  readonly resumedAt: number | undefined;
  readonly schedule: ScheduleOptions;
  /** After which the run ends; more than those of the schedule where only a loss ends it. None where a clock does. */
  readonly mostSteps: number;
  /** What ends a run by time. */
  readonly clock?: RunClock | undefined;
  /** Of all replicas. */
  readonly tokensPerStep: number;
  readonly throughput: Throughput;
  readonly emit: (event: TrainEvent) => void;
}

/** Keeps a run's figures: `metrics.jsonl`, TensorBoard, and the events for whoever watches. */
export class Recorder {
  #pending: JointStep[] = [];
  #trainLoss: number | null;
  #told = 0;
  /** Of the last step. */
  #rate: number;
  #round = { first: 0, steps: 1, span: { position: 0, advance: 1 } };

  private constructor(
    private readonly options: RecorderOptions,
    private readonly log: RunLog,
    progress: Progress,
  ) {
    this.#pending = [...progress.pending];
    this.#trainLoss = progress.train_loss;
    const { schedule, clock } = options;
    this.#rate = learningRate(schedule, clock === undefined ? progress.step - 1 : clock.position(schedule.steps));
  }

  /** Cuts older figures back to the step that the run goes on from, and opens the files. */
  static async open(options: RecorderOptions, progress: Progress): Promise<Recorder> {
    return new Recorder(options, await RunLog.open(options.paths, options.resumedAt), progress);
  }

  /** Steps that no line tells of yet; a checkpoint keeps them. */
  get pending(): JointStep[] {
    return [...this.#pending];
  }

  /** The mean loss of the steps of the last line, or of those since where there is no line yet. */
  get trainLoss(): number | null {
    return this.#trainLoss ?? (this.#pending.length > 0 ? meanOf(this.#pending, 'loss') : null);
  }

  /** A round of `steps` begins, the first of which is `first`, counted from 0. */
  beginRound(first: number, steps: number, span: ScheduleSpan): void {
    this.#round = { first, steps, span };
  }

  /** All replicas have done a step. */
  step(done: JointStep, round: number): void {
    const { log, options } = this;
    const { first, steps, span } = this.#round;
    this.#rate = rateWithin(options.schedule, span, done.step - first, steps);
    this.#pending.push(done);
    log.board.scalars(done.step + 1, {
      'loss/train': done.loss,
      'gradient norm': done.gradientNorm,
      'learning rate': this.#rate,
    });
    const now = performance.now();
    if (now - this.#told < TELL_EVERY) return;
    this.#told = now;
    options.emit(this.#progress(round));
  }

  /** A round is committed. */
  endRound(round: number): void {
    const grid = (at: number) => Math.floor(at / REPORT_EVERY);
    if (grid(this.#pending.at(-1)!.step + 1) > grid(this.#pending[0]!.step)) this.flush(round);
  }

  /** Writes a line about the steps since the last one, as at the end of the run. */
  flush(round: number): void {
    const done = this.#pending;
    if (done.length === 0) return;
    const event = this.#progress(round);
    this.#trainLoss = event.loss;
    this.#pending = [];
    this.#told = performance.now();
    const memory = process.memoryUsage.rss();
    this.log.metrics.append({
      ...event,
      losses: done.map(({ loss }) => loss),
      gradient_norm: meanOf(done, 'gradientNorm'),
      memory_bytes: memory,
    });
    this.log.board.scalars(event.step, { 'tokens per second': event.tokens_per_second, 'memory, bytes': memory });
    this.options.emit(event);
  }

  evaluation(step: number, loss: number): void {
    this.options.emit(this.log.evaluation(step, loss));
  }

  /** Makes all figures outlast a power cut, as they must before a checkpoint. */
  sync(): Promise<void> {
    return this.log.sync();
  }

  close(): Promise<void> {
    return this.log.close();
  }

  #progress(round: number): ProgressEvent {
    const { tokensPerStep, throughput } = this.options;
    const last = this.#pending.at(-1)!.step;
    return {
      type: 'progress',
      step: last + 1,
      round,
      loss: meanOf(this.#pending, 'loss'),
      lr: this.#rate,
      tokens: (last + 1) * tokensPerStep,
      tokens_per_second: throughput.tokensPerSecond,
      ...this.#end(last + 1),
    };
  }

  /** How many steps the run will have and how many seconds are left of it, as far as can be told. */
  #end(step: number): { total_steps: number; eta_seconds: number } {
    const { schedule, mostSteps, clock, tokensPerStep, throughput } = this.options;
    if (clock !== undefined) return { total_steps: clock.expectedSteps(step), eta_seconds: clock.left };
    const total = step <= schedule.steps ? schedule.steps : mostSteps;
    const speed = throughput.tokensPerSecond;
    return { total_steps: total, eta_seconds: speed > 0 ? ((total - step) * tokensPerStep) / speed : 0 };
  }
}

function meanOf(steps: readonly JointStep[], key: 'loss' | 'gradientNorm'): number {
  return steps.reduce((sum, step) => sum + step[key], 0) / steps.length;
}
