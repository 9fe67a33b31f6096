import type { ProgressEvent } from '../run/events.js';
import type { Recorder } from '../run/recorder.js';
import { counted, type Unit } from '../run/task.js';
import type { TimedRound } from '../run/timed-rounds.js';
import { learningRate, type ScheduleOptions } from '../training/schedule.js';
import type { TrainingProgress } from './saved-state.js';
import type { JointStep } from './threads.js';
import type { Throughput } from './throughput.js';

/** A line of `metrics.jsonl` tells of at least so many steps, those of a round or more. */
const REPORT_EVERY = 10;
/** Between lines, whoever watches hears of a slow step so often: milliseconds. */
const TELL_EVERY = 1000;

/** What {@link StepFigures} need to know of their run. */
export interface StepFiguresOptions {
  readonly recorder: Recorder;
  readonly schedule: ScheduleOptions;
  /** After which the run ends; more than those of the schedule where only a loss ends it. */
  readonly mostSteps: number;
  /** What a step of all replicas learns from, and in what that is counted. */
  readonly perStep: number;
  readonly unit: Unit;
  readonly throughput: Throughput;
  /** The learning rate of a step of the round in progress, where it is not that of the schedule. */
  readonly rate?: (step: number) => number | undefined;
  /** Of a run that time ends: what is spent and what is left, in seconds. */
  readonly time?: { spent(): number; left(): number };
}

/** Gathers what is done step by step into lines for the {@link Recorder}. */
export class StepFigures {
  #pending: JointStep[] = [];
  #pendingRounds: TimedRound[] = [];
  #trainLoss: number | null;
  #told = 0;

  constructor(
    private readonly options: StepFiguresOptions,
    progress: Pick<TrainingProgress, 'pending' | 'pending_rounds' | 'train_loss'>,
  ) {
    this.#pending = [...progress.pending];
    this.#pendingRounds = [...progress.pending_rounds];
    this.#trainLoss = progress.train_loss;
  }

  /** Steps that no line tells of yet; a checkpoint keeps them. */
  get pending(): JointStep[] {
    return [...this.#pending];
  }

  /** Rounds of a run by time that no line tells of yet; a checkpoint keeps them. */
  get pendingRounds(): TimedRound[] {
    return [...this.#pendingRounds];
  }

  /** A round of a run by time begins. */
  beginRound(round: TimedRound): void {
    this.#pendingRounds.push(round);
  }

  /** The mean loss of the steps of the last line, or of those since where there is no line yet. */
  get trainLoss(): number | null {
    return this.#trainLoss ?? (this.#pending.length > 0 ? meanOf(this.#pending, 'loss') : null);
  }

  /** All replicas have done a step. */
  step(done: JointStep, round: number): void {
    const { recorder } = this.options;
    this.#pending.push(done);
    recorder.scalars(done.step + 1, {
      'loss/train': done.loss,
      'gradient norm': done.gradientNorm,
      'learning rate': this.#rate(done.step),
    });
    const now = performance.now();
    if (now - this.#told < TELL_EVERY) return;
    this.#told = now;
    recorder.tell(this.#progress(round));
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
    const { recorder, unit, throughput } = this.options;
    const scalars = { [`${unit} per second`]: throughput.perSecond, 'memory, bytes': event.memoryBytes! };
    recorder.write(event, scalars, {
      losses: done.map(({ loss }) => loss),
      gradient_norm: meanOf(done, 'gradientNorm'),
      ...(this.#pendingRounds.length > 0 && { timed_rounds: this.#pendingRounds.map((one) => ({ ...one })) }),
    });
    this.#pendingRounds = [];
  }

  #rate(step: number): number {
    return this.options.rate?.(step) ?? learningRate(this.options.schedule, step);
  }

  /** How far the run will go, and for how long still. */
  #outlook(step: number, speed: number): Pick<ProgressEvent, 'totalSteps' | 'etaSeconds'> {
    const { schedule, mostSteps, perStep, time } = this.options;
    if (time) {
      const left = time.left();
      return { totalSteps: Math.round(step * (1 + left / Math.max(time.spent(), 1e-3))), etaSeconds: left };
    }
    const total = step <= schedule.steps ? schedule.steps : mostSteps;
    return { totalSteps: total, etaSeconds: speed > 0 ? ((total - step) * perStep) / speed : 0 };
  }

  #progress(round: number): ProgressEvent {
    const { perStep, unit, throughput } = this.options;
    const last = this.#pending.at(-1)!.step;
    const speed = throughput.perSecond;
    return {
      type: 'progress',
      step: last + 1,
      round,
      loss: meanOf(this.#pending, 'loss'),
      lr: this.#rate(last),
      ...counted(unit, (last + 1) * perStep, speed),
      ...this.#outlook(last + 1, speed),
      memoryBytes: process.memoryUsage.rss(),
      peakMemoryBytes: peakMemory(),
    };
  }
}

/** The most that this process has held, in bytes. */
export function peakMemory(): number {
  return 1024 * process.resourceUsage().maxRSS;
}

function meanOf(steps: readonly JointStep[], key: 'loss' | 'gradientNorm'): number {
  return steps.reduce((sum, step) => sum + step[key], 0) / steps.length;
}
