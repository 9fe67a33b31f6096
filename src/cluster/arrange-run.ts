import { availableParallelism } from 'node:os';
import type { ParsedTrainOptions } from '../training/config.js';
import { defaultLearningRate } from '../training/config.js';
import { resolveDevice } from '../training/device.js';
import type { ScheduleOptions } from '../training/schedule.js';
import { type Arrangement, candidates, type MeasuredArrangement, measureSpeed } from './arrangement.js';
import type { TrainEvent } from './events.js';
import { planSteps } from './limits.js';
import type { OpenRun } from './open-run.js';
import { initialParameters, type PreparedRun } from './prepare-run.js';
import type { TeamSetup } from './team.js';

/** AdamW's constants; nanoGPT's for small models. */
const ADAMW = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };

/** Decides what the options leave open: replicas and threads, the schedule. Writes it into `run.json`, or reads it there. */
export async function arrangeRun(
  run: OpenRun,
  prepared: PreparedRun,
  emit: (event: TrainEvent) => void,
): Promise<TeamSetup> {
  const { options, chosen } = run;
  const { model, windows } = prepared;
  const { context } = model.dimensions;
  const device = chosen.device ?? resolveDevice(options.device);
  const optimizer = chosen.optimizer ?? { ...ADAMW, weightDecay: options.weightDecay, clip: options.clip };
  const setupFor = (arrangement: Arrangement, schedule: ScheduleOptions): TeamSetup => ({
    ...arrangement,
    run: prepared.dataset.fingerprint.slice(0, 16),
    device,
    tokens: prepared.tokens,
    model: model.config,
    context,
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
  const measure = async (arrangement: Arrangement): Promise<MeasuredArrangement> => {
    emit({ type: 'preparing', stage: `measuring ${arrangement.replicas} × ${arrangement.threads} threads` });
    const peak = options.lr ?? defaultLearningRate(model.layout.size);
    const setup = setupFor(arrangement, { peak, final: peak, warmup: 1000, steps: 1000 });
    return {
      ...arrangement,
      tokensPerSecond: await measureSpeed(setup, model.layout, initialParameters(model, options.seed)),
    };
  };

  let measured: MeasuredArrangement[] = [];
  let arrangement: Arrangement;
  if (chosen.replicas !== undefined && chosen.threads !== undefined) {
    arrangement = { replicas: chosen.replicas, threads: chosen.threads };
  } else if (options.replicas === 'auto') {
    const choices = candidates(availableParallelism(), options.threads, model.layout.size);
    if (choices.length > 1) for (const choice of choices) measured.push(await measure(choice));
    const fastest = measured.reduce((best, one) => (one.tokensPerSecond > best.tokensPerSecond ? one : best), {
      ...choices[0]!,
      tokensPerSecond: 0,
    });
    arrangement = { replicas: fastest.replicas, threads: fastest.threads };
  } else {
    const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / options.replicas));
    arrangement = { replicas: options.replicas, threads };
  }
  let { schedule } = chosen;
  if (!schedule) {
    const isChosen = (one: Arrangement) => one.replicas === arrangement.replicas;
    if (options.minutes !== undefined && !measured.some(isChosen)) measured = [await measure(arrangement)];
    const tokensPerSecond = measured.find(isChosen)?.tokensPerSecond ?? 0;
    const tokensPerStep = arrangement.replicas * options.batchSize * options.gradAccum * context;
    const plan = planSteps(options, tokensPerStep, { tokensPerSecond, evaluationTokens: windows.length * context });
    schedule = scheduleOf(options, model.layout.size, plan.schedule);
  }
  await run.choose({
    device,
    ...arrangement,
    optimizer,
    schedule,
    ...(measured.length > 0 && {
      measured: measured.map(({ replicas, threads, tokensPerSecond }) => ({
        replicas,
        threads,
        tokens_per_second: tokensPerSecond,
      })),
    }),
  });
  return setupFor(arrangement, schedule);
}

function scheduleOf(options: ParsedTrainOptions, parameters: number, steps: number): ScheduleOptions {
  const peak = options.lr ?? defaultLearningRate(parameters);
  return {
    peak,
    final: options.minLr ?? peak / 10,
    warmup: options.warmup ?? Math.min(100, Math.floor(steps / 10)),
    steps,
  };
}
