import { availableParallelism } from 'node:os';
import type { ParsedTrainOptions } from '../training/config.js';
import { defaultLearningRate } from '../training/config.js';
import { chooseDevice } from '../training/device.js';
import type { ScheduleOptions } from '../training/schedule.js';
import { type Arrangement, candidates, type MeasuredArrangement, measureSpeed } from './arrangement.js';
import type { TrainEvent } from './events.js';
import { planSteps } from './limits.js';
import type { OpenRun } from './open-run.js';
import { initialParameters, type PreparedRun } from './prepare-run.js';
import type { ReplicaHandle } from './replica-thread.js';
import type { Chosen } from './run-record.js';
import type { TeamSetup } from './team.js';

/** AdamW's constants, as GPT-3 and Llama have them; nanoGPT's 0.99 ends 0.6 % higher on tiny Shakespeare. */
export const ADAMW = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };

/**
 * Decides what the options leave open: replicas and threads, the schedule. Writes it into `run.json`, or reads it there.
 *
 * @param startReplica how a replica is started to be measured: as a thread unless given
 */
export async function arrangeRun(
  run: OpenRun,
  prepared: PreparedRun,
  emit: (event: TrainEvent) => void,
  startReplica?: () => ReplicaHandle,
): Promise<TeamSetup> {
  const { options, chosen } = run;
  const { model, windows } = prepared;
  const device = chosen.device ?? (await chooseDevice(options.device));
  const optimizer = chosen.optimizer ?? { ...ADAMW, weightDecay: options.weightDecay, clip: options.clip };
  const setupFor = (arrangement: Arrangement, schedule: ScheduleOptions): TeamSetup => ({
    ...arrangement,
    run: prepared.dataset.fingerprint.slice(0, 16),
    device,
    tokens: prepared.tokens,
    model: model.config,
    context: model.dimensions.context,
    batchSize: options.batchSize,
    gradAccum: options.gradAccum,
    seed: options.seed,
    optimizer,
    schedule,
    exchange: arrangement.replicas === 1 ? 'nothing' : options.syncEvery === 1 ? 'gradients' : 'parameters',
    outer: { method: options.outer, learningRate: options.outerLr, momentum: options.outerMomentum },
    averageMoments: options.moments === 'average',
    syncEvery: options.syncEvery,
  });
  const measured: MeasuredArrangement[] = [];
  const measure: Measure = async (arrangement) => {
    const known = measured.find((one) => one.replicas === arrangement.replicas && one.threads === arrangement.threads);
    if (known) return known.tokensPerSecond;
    emit({ type: 'preparing', stage: `measuring ${arrangement.replicas} × ${arrangement.threads} threads` });
    const peak = options.lr ?? defaultLearningRate(model.layout.size);
    const setup = setupFor(arrangement, { peak, final: peak, warmup: 1000, steps: 1000 });
    const parameters = initialParameters(model, options.seed);
    const tokensPerSecond = await measureSpeed(setup, model.layout, parameters, startReplica);
    measured.push({ ...arrangement, tokensPerSecond });
    return tokensPerSecond;
  };

  const arrangement = await chooseArrangement(options, chosen, model.layout.size, measure);
  let { schedule } = chosen;
  if (!schedule) {
    const { context } = model.dimensions;
    const tokensPerStep = arrangement.replicas * options.batchSize * options.gradAccum * context;
    const speed = options.minutes !== undefined && {
      tokensPerSecond: await measure(arrangement),
      evaluationTokens: windows.length * context,
    };
    schedule = scheduleOf(options, model.layout.size, planSteps(options, tokensPerStep, speed || undefined).schedule);
  }
  const figures = measured.map(({ tokensPerSecond, ...one }) => ({ ...one, tokens_per_second: tokensPerSecond }));
  const { replicas, threads } = arrangement;
  await run.choose({
    device,
    replicas,
    threads,
    optimizer,
    schedule,
    ...(measured.length > 0 && { measured: figures }),
  });
  return setupFor(arrangement, schedule);
}

/** Tokens a second of an arrangement. */
type Measure = (arrangement: Arrangement) => Promise<number>;

async function chooseArrangement(
  options: ParsedTrainOptions,
  chosen: Chosen,
  parameters: number,
  measure: Measure,
): Promise<Arrangement> {
  if (chosen.replicas !== undefined && chosen.threads !== undefined) {
    return { replicas: chosen.replicas, threads: chosen.threads };
  }
  const cores = availableParallelism();
  if (options.replicas !== 'auto') {
    const threads = options.threads ?? Math.max(1, Math.floor(cores / options.replicas));
    return { replicas: options.replicas, threads };
  }
  const choices = candidates(cores, options.threads, parameters);
  let [best, fastest] = [choices[0]!, 0];
  for (const choice of choices.length > 1 ? choices : []) {
    const speed = await measure(choice);
    if (speed > fastest) [best, fastest] = [choice, speed];
  }
  return best;
}

/** The learning rate over so many steps: what the options say, or what suits the size. */
export function scheduleOf(options: ParsedTrainOptions, parameters: number, steps: number): ScheduleOptions {
  const peak = options.lr ?? defaultLearningRate(parameters);
  return {
    peak,
    final: options.minLr ?? peak / 10,
    warmup: options.warmup ?? Math.min(100, Math.floor(steps / 10)),
    steps,
  };
}
