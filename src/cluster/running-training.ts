import { MeanfieldError } from '../base/errors.js';
import { listCheckpoints } from '../training/checkpoint.js';
import { writeBestModel } from './best-model.js';
import type { TrainEvent, TrainResult } from './events.js';
import { crosses, planSteps } from './limits.js';
import type { OpenRun } from './open-run.js';
import type { PreparedRun } from './prepare-run.js';
import { Recorder } from './recorder.js';
import type { ReplicaHandle } from './replica-thread.js';
import { RunClock } from './run-clock.js';
import { type Progress, type SavedState, saveState } from './saved-state.js';
import { Team, type TeamSetup } from './team.js';
import { DivergedError, type JointStep } from './threads.js';
import { Throughput } from './throughput.js';

/** What training starts or goes on from. */
export interface TrainingStart {
  readonly run: OpenRun;
  readonly prepared: PreparedRun;
  readonly setup: TeamSetup;
  readonly emit: (event: TrainEvent) => void;
  /** How a replica is started: as a thread unless given. */
  readonly startReplica?: () => ReplicaHandle;
}

/** A run from its first round (or the first after a checkpoint) to its end: rounds, evaluations, checkpoints. */
export class RunningTraining {
  readonly #start: TrainingStart;
  readonly #team: Team;
  readonly #recorder: Recorder;
  readonly #throughput: Throughput;
  /** Of all replicas. */
  readonly #tokensPerStep: number;
  readonly #mostSteps: number;
  readonly #clock: RunClock | undefined;
  /** Steps done by earlier processes. */
  readonly #from: number;
  /** Steps done, per replica. */
  #step: number;
  #validation: number | null;
  #best: number | null;
  #evaluatedAt = -1;
  #savedAt = -1;
  /** When the first step of this process began, less what earlier processes spent. */
  readonly #begun: number;

  private constructor(
    start: TrainingStart,
    progress: Progress,
    team: Team,
    recorder: Recorder,
    throughput: Throughput,
    most: number,
    clock: RunClock | undefined,
  ) {
    const { setup } = start;
    this.#start = start;
    this.#from = progress.step;
    this.#team = team;
    this.#recorder = recorder;
    this.#throughput = throughput;
    this.#tokensPerStep = tokensPerStep(setup);
    this.#mostSteps = most;
    this.#clock = clock;
    this.#step = progress.step;
    this.#validation = progress.val_loss;
    this.#best = progress.best_val_loss;
    this.#begun = performance.now() - 1000 * progress.seconds;
  }

  /**
   * Starts the replicas and opens the files of figures.
   *
   * @param from moved to the replicas
   */
  static async start(start: TrainingStart, from: SavedState): Promise<RunningTraining> {
    const { run, setup, prepared, emit, startReplica } = start;
    const { progress } = from;
    const { minutes } = run.options;
    const clock =
      minutes === undefined ? undefined : new RunClock(60 * minutes, setup.schedule.steps, progress.seconds);
    const most = clock ? Number.MAX_SAFE_INTEGER : planSteps(run.options, tokensPerStep(setup)).most;
    const team = await Team.start(setup, prepared.model.layout, from.team, startReplica);
    try {
      const throughput = new Throughput(tokensPerStep(setup));
      const recorder = await Recorder.open(
        {
          paths: run.paths,
          resumedAt: run.resumed ? progress.step : undefined,
          schedule: setup.schedule,
          mostSteps: most,
          clock,
          tokensPerStep: tokensPerStep(setup),
          throughput,
          emit,
        },
        progress,
      );
      return new RunningTraining(start, progress, team, recorder, throughput, most, clock);
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
      const finished = await this.#rounds(control);
      await this.#end(finished);
      await this.#recorder.close();
      return this.#result(finished, started);
    } catch (error) {
      // What it could not write any more, on a full disk for example, must not hide what went wrong first.
      await this.#recorder.close().catch(() => {});
      throw await this.#explained(error);
    } finally {
      await this.#team.close();
    }
  }

  /** Whether the run came to its end. */
  async #rounds(control: { readonly stopping: boolean }): Promise<boolean> {
    const { options } = this.#start.run;
    const { evalEvery, checkpointEvery = evalEvery, untilLoss } = options;
    if (untilLoss !== undefined && this.#validation !== null && this.#validation < untilLoss) return true;
    while (this.#step < this.#mostSteps && this.#clock?.left !== 0) {
      if (control.stopping) return false;
      const before = this.#step;
      await this.#round();
      if (crosses(before, this.#step, evalEvery)) await this.#evaluate();
      const reached = untilLoss !== undefined && this.#evaluatedAt === this.#step && this.#validation! < untilLoss;
      if (!reached && crosses(before, this.#step, checkpointEvery)) await this.#save();
      if (reached) return true;
    }
    return true;
  }

  async #round(): Promise<void> {
    const { rounds } = this.#team;
    const { syncEvery, schedule } = this.#start.setup;
    const most = Math.min(syncEvery, this.#mostSteps - this.#step);
    const steps = this.#clock?.roundSteps(most) ?? most;
    const span = this.#clock?.span(schedule.steps, steps) ?? { position: this.#step, advance: steps };
    const number = rounds.round + 1;
    const begun = performance.now();
    this.#throughput.beginRound();
    this.#recorder.beginRound(this.#step, steps, span);
    const onStep = (done: JointStep) => {
      this.#throughput.step();
      this.#recorder.step(done, number);
    };
    await rounds.runRound(this.#step, steps, onStep, span);
    this.#throughput.endRound();
    this.#clock?.tookRound(steps, (performance.now() - begun) / 1000);
    this.#step += steps;
    this.#recorder.endRound(number);
  }

  /** The validation loss of the committed parameters; the best ones so far become `model/`. */
  async #evaluate(): Promise<void> {
    const begun = performance.now();
    const loss = await this.#team.evaluate(this.#start.prepared.windows);
    this.#clock?.tookEvaluation((performance.now() - begun) / 1000);
    if (!Number.isFinite(loss)) throw new DivergedError(`after step ${this.#step} the validation loss is ${loss}`);
    this.#validation = loss;
    this.#evaluatedAt = this.#step;
    this.#recorder.evaluation(this.#step, loss);
    if (this.#best !== null && loss >= this.#best) return;
    await this.#writeModel();
    this.#best = loss;
  }

  async #writeModel(): Promise<void> {
    const { run, prepared } = this.#start;
    const parameters = await this.#team.parameters();
    await writeBestModel(run.paths.model, prepared.model, prepared.dataset.tokenizer, parameters);
  }

  async #save(): Promise<void> {
    const { run, prepared, emit } = this.#start;
    await this.#recorder.sync();
    const state = await this.#team.state();
    await saveState(run.paths.checkpoints, prepared.model.layout, this.#progress(), state, run.options.keep);
    this.#savedAt = this.#step;
    emit({ type: 'checkpoint', step: this.#step, path: checkpointPath(run, this.#step) });
  }

  /** Evaluates and saves what is not yet. */
  async #end(finished: boolean): Promise<void> {
    if (finished) {
      this.#recorder.flush(this.#team.rounds.round);
      if (this.#evaluatedAt !== this.#step && !this.#isResumedAtEnd) await this.#evaluate();
    }
    if (this.#savedAt !== this.#step && !this.#isResumedAtEnd) await this.#save();
    if (this.#best === null) {
      // After the checkpoint: a resumed run must not know of an evaluation that an undisturbed one would not make.
      this.#validation = this.#best = await this.#team.evaluate(this.#start.prepared.windows);
      this.#start.emit({ type: 'evaluation', step: this.#step, val_loss: this.#validation });
      await this.#writeModel();
    }
    await this.#team.rounds.stop();
  }

  /** A run that had ended was resumed: there is nothing to do. */
  get #isResumedAtEnd(): boolean {
    return this.#step === this.#from && this.#step > 0 && this.#validation !== null;
  }

  get #seconds(): number {
    return (performance.now() - this.#begun) / 1000;
  }

  #progress(): Progress {
    return {
      step: this.#step,
      tokens: this.#step * this.#tokensPerStep,
      seconds: this.#seconds,
      train_loss: this.#recorder.trainLoss,
      val_loss: this.#validation,
      best_val_loss: this.#best,
      pending: this.#recorder.pending,
    };
  }

  #tellStarted(): void {
    const { run, prepared, setup, emit } = this.#start;
    emit({
      type: 'started',
      run: run.paths.folder,
      step: this.#step,
      parameters: prepared.model.layout.size,
      replicas: setup.replicas,
      threads: setup.threads,
      vocabulary: prepared.dataset.tokenizer.vocabularySize,
      trainTokens: prepared.dataset.train.length,
      validationTokens: prepared.dataset.validation.length,
    });
  }

  #result(finished: boolean, started: number): TrainResult {
    const { run, prepared, setup } = this.#start;
    return {
      type: 'result',
      run: run.paths.folder,
      step: this.#step,
      tokens: this.#step * this.#tokensPerStep,
      train_loss: this.#recorder.trainLoss ?? null,
      val_loss: this.#validation!,
      best_val_loss: this.#best!,
      tokens_per_second: this.#throughput.tokensPerSecond,
      seconds: (performance.now() - started) / 1000,
      parameters: prepared.model.layout.size,
      replicas: setup.replicas,
      rounds: this.#team.rounds.round,
      interrupted: !finished,
    };
  }

  /** Adds to a divergence what can be done about it. */
  async #explained(error: unknown): Promise<unknown> {
    if (!(error instanceof DivergedError)) return error;
    const { run, setup } = this.#start;
    const saved = (await listCheckpoints(run.paths.checkpoints)).at(-1);
    const good =
      saved === undefined
        ? 'No checkpoint was saved yet.'
        : `The last good checkpoint is ${checkpointPath(run, saved)}.`;
    return new MeanfieldError(`${error.message} ${good} ${divergenceAdvice(setup)}`, { cause: error });
  }
}

/** What else a diverged run can be started with: only what was not in force. */
export function divergenceAdvice({ schedule, optimizer }: Pick<TeamSetup, 'schedule' | 'optimizer'>): string {
  const { peak, warmup, steps } = schedule;
  const lower = Number((peak / 3).toPrecision(1));
  const choices = [`--lr ${lower} (it was ${Number(peak.toPrecision(3))})`];
  const { clip } = optimizer;
  if (clip === 0 || clip > 1)
    choices.push(`--clip 1 (${clip === 0 ? 'gradients were not clipped' : `it was ${clip}`})`);
  const longer = Math.floor(steps / 5);
  if (warmup < longer / 2) choices.push(`--warmup ${longer} (it was ${warmup})`);
  return `Start a new run with ${choices.join(', or with ')}; --resume would come to the same.`;
}

function tokensPerStep({ replicas, batchSize, gradAccum, context }: TeamSetup): number {
  return replicas * batchSize * gradAccum * context;
}

function checkpointPath(run: OpenRun, step: number): string {
  return `${run.paths.checkpoints}/${String(step).padStart(6, '0')}`;
}
