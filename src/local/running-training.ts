import { MeanfieldError } from '../base/errors.js';
import { type Spelling, spelledError } from '../base/spelling.js';
import type { TrainEvent, TrainResult, TrainSettings } from '../run/events.js';
import { crosses, planSteps } from '../run/limits.js';
import type { OpenRun } from '../run/open-run.js';
import { Clock, Rates } from '../run/pace.js';
import { Recorder } from '../run/recorder.js';
import { Standing } from '../run/standing.js';
import { counted, type PreparedRun, startedEvent, type Unit, unitOf } from '../run/task.js';
import { readTimedRounds, type TimedRound, TimedRounds } from '../run/timed-rounds.js';
import type { EarlierSchedule } from '../training/schedule.js';
import { divergenceAdvice } from './advice.js';
import type { Crew } from './crew.js';
import { measureAgain } from './measure-again.js';
import type { ReplicaHandle } from './replica-thread.js';
import type { SavedState, TrainingProgress } from './saved-state.js';
import type { SpeedWatch } from './speed-watch.js';
import { startCrew } from './start-crew.js';
import { peakMemory, StepFigures } from './step-figures.js';
import { Team, type TeamSetup } from './team.js';
import { DivergedError, type JointStep } from './threads.js';
import { Throughput } from './throughput.js';

/** How long the sample of an evaluation is: about so many bytes, of at least so many tokens. */
const SAMPLE_BYTES = 160;
const SAMPLE_TOKENS = 40;

/** What training starts or goes on from. */
export interface TrainingStart {
  readonly run: OpenRun;
  readonly prepared: PreparedRun;
  readonly setup: TeamSetup;
  /** The schedules that the run had until it was made longer. */
  readonly earlier?: readonly EarlierSchedule[];
  /** What was found out about memory, for the event of the start. */
  readonly memory?: { readonly expectedMemoryBytes?: number; readonly availableMemoryBytes: number };
  readonly emit: (event: TrainEvent) => void;
  /** How a replica is started: as a thread unless given. */
  readonly startReplica?: () => ReplicaHandle;
  /** Says when threads are to be measured again; left out, they stay as they are. */
  readonly watch?: Pick<SpeedWatch, 'round' | 'measured'> | undefined;
}

/** What {@link RunningTraining} is made of. */
interface Parts {
  readonly team: Crew;
  readonly recorder: Recorder;
  readonly figures: StepFigures;
  readonly throughput: Throughput;
  readonly clock: Clock;
  readonly rates: Rates;
  readonly timed: TimedRounds | undefined;
  readonly most: number;
}

/** A run from its first round (or the first after a checkpoint) to its end: rounds, evaluations, checkpoints. */
export class RunningTraining {
  #start: TrainingStart;
  #team: Crew;
  readonly #recorder: Recorder;
  readonly #figures: StepFigures;
  readonly #throughput: Throughput;
  /** What a step of all replicas learns from. */
  readonly #perStep: number;
  readonly #unit: Unit;
  readonly #mostSteps: number;
  /** Steps done by earlier processes. */
  readonly #from: number;
  /** Steps done, per replica. */
  #step: number;
  readonly #standing: Standing;
  #evaluatedAt = -1;
  #savedAt = -1;
  /** Whether the last round was the one by which the watch saw it. */
  #slower = false;
  readonly #clock: Clock;
  readonly #rates: Rates;
  /** Of a run that time ends. */
  readonly #timed: TimedRounds | undefined;

  private constructor(
    start: TrainingStart,
    progress: TrainingProgress,
    { team, recorder, figures, throughput, clock, rates, timed, most }: Parts,
  ) {
    const { setup } = start;
    this.#start = start;
    this.#from = progress.step;
    this.#team = team;
    this.#recorder = recorder;
    this.#figures = figures;
    this.#throughput = throughput;
    this.#clock = clock;
    this.#rates = rates;
    this.#timed = timed;
    this.#perStep = perStep(setup);
    this.#unit = unitOf(start.prepared.learned);
    this.#mostSteps = most;
    this.#step = progress.step;
    this.#standing = new Standing(progress, start.prepared.learned.metrics[0]);
  }

  /**
   * Starts the replicas and opens the files of figures.
   *
   * @param from moved to the replicas
   */
  static async start(start: TrainingStart, from: SavedState): Promise<RunningTraining> {
    const { run, setup, prepared, emit, startReplica } = start;
    const { progress } = from;
    const { seconds: limit } = setup.schedule;
    const { most } = planSteps(run.options, perStep(setup), prepared.rows && prepared.rows * setup.perSample);
    // Before the figures of later steps are cut off.
    const recorded = await recordedRounds(start, progress.step);
    const clock = new Clock(progress.seconds);
    const rates = new Rates(setup.schedule, start.earlier ?? []);
    const timed = limit === undefined ? undefined : new TimedRounds(limit, setup.stepsPerRound, recorded);
    const team = await startCrew(setup, prepared.learned, from, startReplica);
    try {
      const throughput = new Throughput(perStep(setup));
      const recorder = await Recorder.open<never>(run.paths, run.resumed ? progress.step : undefined, emit);
      const figures = new StepFigures(
        {
          recorder,
          schedule: setup.schedule,
          mostSteps: most,
          perStep: perStep(setup),
          unit: unitOf(prepared.learned),
          throughput,
          rate: (step) => rates.at(step),
          ...(timed && { time: { spent: () => clock.seconds, left: () => timed.left(clock.seconds) } }),
        },
        progress,
      );
      return new RunningTraining(start, progress, { team, recorder, figures, throughput, clock, rates, timed, most });
    } catch (error) {
      await team.close();
      throw error;
    }
  }

  /**
   * Trains to the end, or until told to stop.
   *
   * @param started when the process began with this run
   */
  async run(control: { readonly stopping: boolean }, started: number): Promise<TrainResult> {
    try {
      this.#tellStarted();
      // So that the run can be resumed without the model that it came from.
      if (this.#step === 0 && this.#start.run.options.from !== undefined) await this.#save();
      const ended = await this.#rounds(control);
      await this.#end(ended !== 'stopped');
      await this.#recorder.close();
      return this.#result(ended, started);
    } catch (error) {
      // What it could not write any more, on a full disk for example, must not hide what went wrong first.
      await this.#recorder.close().catch(() => {});
      throw await this.#explained(error);
    } finally {
      await this.#team.close();
    }
  }

  /** Why the rounds are over. */
  async #rounds(control: { readonly stopping: boolean }): Promise<TrainResult['ended']> {
    const { options } = this.#start.run;
    const { evalEvery, checkpointEvery = evalEvery } = options;
    let reached = this.#standing.reached(options);
    while (reached === undefined) {
      const timed = this.#timed?.next(this.#step, this.#clock.seconds);
      const left = this.#timed ? (timed?.steps ?? 0) : this.#mostSteps - this.#step;
      if (left <= 0) break;
      if (control.stopping) return 'stopped';
      const before = this.#step;
      await this.#round(Math.min(this.#start.setup.stepsPerRound, left), timed);
      if (crosses(before, this.#step, evalEvery)) {
        await this.#evaluate();
        reached = this.#standing.reached(options);
      }
      if (reached === undefined && crosses(before, this.#step, checkpointEvery)) await this.#save();
      if (this.#slower && !control.stopping) await this.#measureAgain();
    }
    return reached ?? (options.minutes === undefined ? 'steps' : 'minutes');
  }

  async #round(steps: number, timed: TimedRound | undefined): Promise<void> {
    const { rounds } = this.#team;
    const number = rounds.round + 1;
    const begun = performance.now();
    const rates = this.#rates.begin(this.#step, steps, timed);
    if (timed) this.#figures.beginRound(timed);
    this.#throughput.beginRound();
    const tell = (done: JointStep) => {
      this.#throughput.step();
      this.#figures.step(done, number);
    };
    await rounds.runRound(this.#step, steps, tell, rates);
    this.#throughput.endRound();
    this.#slower = this.#start.watch?.round(steps, performance.now() - begun) ?? false;
    if (timed) this.#timed!.done(timed, (performance.now() - begun) / 1000);
    this.#step += steps;
    this.#figures.endRound(number);
  }

  /**
   * Finds out how many threads suit the run now and goes on with them. No bit depends on them, so a run that is resumed from
   * before is the same, whatever `run.json` has by then.
   */
  async #measureAgain(): Promise<void> {
    const { run, setup, prepared, startReplica, watch, emit } = this.#start;
    const { layout } = prepared.learned;
    const state = await this.#team.state();
    await this.#team.close();
    const { threads, fewer, message } = await measureAgain(setup, layout, state, startReplica);
    emit({ type: 'notice', message });
    if (threads !== setup.threads) await run.choose({ threads });
    this.#start = { ...this.#start, setup: { ...setup, threads } };
    this.#team = await Team.start(this.#start.setup, layout, state, startReplica);
    watch!.measured(fewer);
  }

  /** The validation loss of the committed parameters; the best ones so far become `model/`. */
  async #evaluate(): Promise<void> {
    const begun = performance.now();
    const { loss, others } = await this.#team.evaluate(this.#start.prepared.validation);
    this.#timed?.evaluated((performance.now() - begun) / 1000);
    if (!Number.isFinite(loss)) throw new DivergedError(`after step ${this.#step} the validation loss is ${loss}`);
    this.#evaluatedAt = this.#step;
    const { run, emit } = this.#start;
    const trainLoss = this.#figures.trainLoss;
    const best = this.#standing.add(this.#step, loss, trainLoss);
    this.#recorder.evaluation(this.#step, loss, await this.#evaluation(loss, others));
    if (best) await this.#writeModel();
    const message = this.#standing.overfitting(trainLoss, run.paths.model);
    if (message !== undefined) emit({ type: 'notice', message });
  }

  /** What is told of an evaluation beside its loss. */
  async #evaluation(loss: number, metrics?: Readonly<Record<string, number>>) {
    const { best, bestStep, sinceBest } = this.#standing;
    const { learned, bytesPerToken = 1 } = this.#start.prepared;
    const tokens = Math.round(Math.min(SAMPLE_BYTES, Math.max(SAMPLE_TOKENS, SAMPLE_BYTES / bytesPerToken)));
    const sample = learned.generative ? await this.#team.sample(tokens) : undefined;
    return {
      ...this.#bits(loss),
      bestValLoss: best!,
      bestStep: bestStep!,
      evaluationsSinceBest: sinceBest,
      ...(metrics && { metrics }),
      ...(sample !== undefined && { sample }),
    };
  }

  /** Nats per token as bits per byte, of what gives whole texts their probability. */
  #bits(loss: number): { readonly bitsPerByte?: number } {
    const { learned, bytesPerToken } = this.#start.prepared;
    if (!learned.generative || bytesPerToken === undefined) return {};
    return { bitsPerByte: loss / Math.LN2 / bytesPerToken };
  }

  async #writeModel(): Promise<void> {
    await this.#team.writeModel(this.#start);
  }

  async #save(): Promise<void> {
    await this.#recorder.sync();
    const path = await this.#team.save(this.#start, this.#progress());
    this.#savedAt = this.#step;
    this.#start.emit({ type: 'checkpoint', step: this.#step, path });
  }

  /** Evaluates and saves what is not yet. */
  async #end(finished: boolean): Promise<void> {
    if (finished) {
      this.#figures.flush(this.#team.rounds.round);
      if (this.#evaluatedAt !== this.#step && !this.#isResumedAtEnd) await this.#evaluate();
    }
    if (this.#savedAt !== this.#step && !this.#isResumedAtEnd) await this.#save();
    if (this.#standing.best === null) {
      // After the checkpoint: a resumed run must not know of an evaluation that an undisturbed one would not make.
      const { loss, others } = await this.#team.evaluate(this.#start.prepared.validation);
      this.#standing.add(this.#step, loss, this.#figures.trainLoss);
      const more = await this.#evaluation(loss, others);
      this.#start.emit({ type: 'evaluation', step: this.#step, valLoss: loss, ...more });
      await this.#writeModel();
    }
    await this.#team.rounds.stop();
  }

  /** A run that had ended was resumed: there is nothing to do. */
  get #isResumedAtEnd(): boolean {
    return this.#step === this.#from && this.#step > 0 && this.#standing.last !== null;
  }

  #progress(): TrainingProgress {
    return {
      step: this.#step,
      tokens: this.#step * this.#perStep,
      seconds: this.#clock.seconds,
      train_loss: this.#figures.trainLoss,
      ...this.#standing.record,
      pending: this.#figures.pending,
      pending_rounds: this.#figures.pendingRounds,
    };
  }

  #tellStarted(): void {
    const { run, prepared, setup, memory, emit } = this.#start;
    const { replicas, threads } = setup;
    const started = startedEvent(run.paths.folder, prepared, { step: this.#step, replicas, threads });
    emit({ ...started, settings: this.#settings(), ...memory });
  }

  #settings(): TrainSettings {
    const { run, setup, prepared } = this.#start;
    const { minutes, evalEvery, patience, seed } = run.options;
    const { peak, final, warmup } = setup.schedule;
    const { tokensPerSample } = prepared.learned;
    const context = tokensPerSample === undefined ? {} : { context: tokensPerSample };
    return {
      device: setup.device,
      // A model of one's own has none.
      ...(context as { context: number }),
      batchSize: setup.batchSize,
      gradAccum: setup.gradAccum,
      syncEvery: setup.stepsPerRound,
      lr: peak,
      minLr: final,
      warmup,
      ...(minutes === undefined ? { steps: this.#mostSteps } : { minutes }),
      evalEvery,
      ...(patience !== undefined && { patience }),
      seed,
    };
  }

  #result(ended: TrainResult['ended'], started: number): TrainResult {
    const { run, prepared, setup } = this.#start;
    return {
      type: 'result',
      run: run.paths.folder,
      objective: prepared.learned.name,
      step: this.#step,
      ...counted(this.#unit, this.#step * this.#perStep, this.#throughput.perSecond),
      trainLoss: this.#figures.trainLoss ?? null,
      valLoss: this.#standing.last!,
      bestValLoss: this.#standing.best!,
      bestStep: this.#standing.bestStep ?? this.#step,
      ...this.#bits(this.#standing.best!),
      ended,
      peakMemoryBytes: peakMemory(),
      seconds: (performance.now() - started) / 1000,
      parameters: prepared.parameters,
      replicas: setup.replicas,
      rounds: this.#team.rounds.round,
      interrupted: ended === 'stopped',
    };
  }

  /** Adds to a divergence what can be done about it. */
  async #explained(error: unknown): Promise<unknown> {
    if (!(error instanceof DivergedError)) return error;
    const { setup } = this.#start;
    const saved = await this.#team.lastCheckpoint(this.#start);
    const good = saved === undefined ? 'No checkpoint was saved yet.' : `The last good checkpoint is ${saved}.`;
    const { peak: lr, warmup } = setup.schedule;
    const sizes = { lr, clip: setup.optimizer.clip, warmup, step: this.#step };
    const say = (spelling: Spelling) => `${error.message} ${good} ${divergenceAdvice(sizes, spelling)}`;
    return spelledError(MeanfieldError, say, { cause: error });
  }
}

/** Rounds after a checkpoint that a run by time has gone through already; none once it was given more time there. */
function recordedRounds(
  { run, setup, earlier = [] }: TrainingStart,
  step: number,
): Promise<TimedRound[]> | TimedRound[] {
  const anew = earlier.some(({ until }) => until === step);
  return setup.schedule.seconds === undefined || anew ? [] : readTimedRounds(run.paths.metrics, step);
}

function perStep({ replicas, batchSize, gradAccum, perSample }: TeamSetup): number {
  return replicas * batchSize * gradAccum * perSample;
}
