import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { UsageError } from '../base/errors.js';
import { availableMemory } from '../base/files/available-memory.js';
import { type Spelling, spelledError } from '../base/spelling.js';
import { shownPath } from '../base/system-errors.js';
import { chooseDevice, createEngine } from '../engine/node/create.js';
import type { NodeDevice } from '../engine/node/device-names.js';
import type { TrainEvent } from '../run/events.js';
import { planSteps } from '../run/limits.js';
import type { OpenRun } from '../run/open-run.js';
import type { ParsedTrainOptions } from '../run/options.js';
import { isOffloaded, LIMITS, learningRateOf, optimizerName, sharesGradients, streamsBase } from '../run/options.js';
import type { Chosen } from '../run/run-record.js';
import { countOf, type PreparedRun, unitOf } from '../run/task.js';
import { choosePrecision, type PrecisionChoice } from '../training/precision.js';
import { type EarlierSchedule, type ScheduleOptions, scheduleAt } from '../training/schedule.js';
import { goesDirect } from '../training/streamed/disk/direct-file.js';
import {
  type ArrangementComparison,
  candidates,
  compareLooks,
  MEASURE_SECONDS,
  measureSpeeds,
  type ThreadArrangement,
} from './arrangement.js';
import { threadChoices } from './measure-again.js';
import { type MemoryNeed, memoryNeed, requireMemory } from './memory-need.js';
import { type OffloadNeed, offloadNeed, PLACEMENTS, requireOffload } from './offload-need.js';
import type { ReplicaHandle } from './replica-thread.js';
import { shardedNeed } from './sharded-need.js';
import { SpeedWatch } from './speed-watch.js';
import { streamedBaseNeed } from './streamed-base-need.js';
import type { TeamSetup } from './team.js';
import { layeredWays } from './ways.js';

/** Muon's, as it is published. */
const MUON_MOMENTUM = 0.95;

/** The optimiser as options have it. */
export function optimizerOf(options: ParsedTrainOptions, { rates, matrices }: Pick<PreparedRun, 'rates' | 'matrices'>) {
  const { beta1, beta2, epsilon, weightDecay, clip, momentsPrecision: precision, seed } = options;
  const muon = optimizerName(options) === 'muon' &&
    matrices?.length && { momentum: MUON_MOMENTUM, matrices: [...matrices] };
  return {
    ...{ beta1, beta2, epsilon, weightDecay, clip },
    ...(rates && { rateRanges: [...rates] }),
    ...(muon && { muon }),
    ...(precision !== 'fp32' && { moments: { precision, seed } }),
  };
}

/** Bytes that a run may have: what is free, or no more than it was told. */
export function memoryLimit({ memory, force }: Pick<ParsedTrainOptions, 'memory' | 'force'>): number {
  // What this process holds already is part of what it will need.
  const free = availableMemory() + process.memoryUsage.rss();
  return memory === undefined ? free : force ? 1e9 * memory : Math.min(1e9 * memory, free);
}

/** What replicas give each other. */
export function exchangeOf(replicas: number, { sync_every }: NonNullable<Chosen['averaging']>): TeamSetup['exchange'] {
  return replicas === 1 ? 'nothing' : sync_every === 1 ? 'gradients' : 'parameters';
}

/**
 * How replicas on threads are averaged. With Muon an outer momentum goes on in directions of a higher rate, and averages cost
 * threads next to nothing (4 × 128, 400 steps, two replicas, two texts, above the joint batch: Nesterov every 25 steps 2.5 to
 * 3.1 %, the plain mean every 25 1.7 to 2.0 %, every 5 0.1 to 0.7 % at the same speed).
 */
export function averagingOf(
  { outer, syncEvery, zero }: ParsedTrainOptions,
  { muon }: TeamSetup['optimizer'],
  replicas: number,
): NonNullable<Chosen['averaging']> {
  return {
    outer: outer ?? (muon ? 'average' : 'nesterov'),
    sync_every: syncEvery ?? (zero > 0 ? 1 : muon && replicas > 1 ? 5 : 25),
  };
}

/** A run with all that its options leave open decided. */
export interface ArrangedRun {
  readonly setup: TeamSetup;
  /** The schedules that it had until it was made longer. */
  readonly earlier: readonly EarlierSchedule[];
  /** What it needs of memory, and what it may have. */
  readonly memory: { readonly expectedMemoryBytes?: number; readonly availableMemoryBytes: number };
  /** Of a run whose threads may be measured again while it goes on. */
  readonly watch?: SpeedWatch;
}

/**
 * Decides what the options leave open: replicas and threads, the schedule. Writes it into `run.json`, or reads it there.
 *
 * @param from the step that the run goes on from; 0 for a new one
 * @param startReplica how a replica is started to be measured: as a thread unless given
 * @throws MeanfieldError when the run would not fit in memory, unless forced
 */
export async function arrangeRun(
  run: OpenRun,
  prepared: PreparedRun,
  emit: (event: TrainEvent) => void,
  from = 0,
  startReplica?: () => ReplicaHandle,
): Promise<ArrangedRun> {
  const { options, chosen } = run;
  const { learned, task } = prepared;
  const { layout } = learned;
  const perSample = countOf(learned);
  const offloaded = isOffloaded(options);
  const device = offloaded
    ? 'cpu'
    : (chosen.device ?? (sharesGradients(options) ? 'cpu' : await chooseDevice(options.device)));
  const { precision, notice } = await precisionOf(run, device);
  if (notice !== undefined) emit({ type: 'notice', message: notice });
  const optimizer = chosen.optimizer ?? optimizerOf(options, prepared);
  if (device !== 'cpu') requireFloat32(optimizer, device);
  const peak = learningRateOf(options, layout.size + learned.frozen.size);
  const available = memoryLimit(options);
  const averagingBy = ({ replicas }: ThreadArrangement) =>
    chosen.averaging ?? averagingOf(options, optimizer, replicas);
  const setupFor = (
    arrangement: ThreadArrangement,
    schedule: ScheduleOptions = { peak, final: peak, warmup: 1000, steps: 1000 },
  ): TeamSetup => ({
    ...arrangement,
    run: prepared.fingerprint.slice(0, 16),
    device,
    task,
    perSample,
    batchSize: options.batchSize,
    gradAccum: options.gradAccum,
    seed: options.seed,
    optimizer,
    dropout: options.dropout,
    precision,
    recompute: chosen.recompute,
    schedule,
    ...sharing(options, { optimizer, averaging: averagingBy(arrangement) }, arrangement, device),
    outer: { method: averagingBy(arrangement).outer, learningRate: options.outerLr, momentum: options.outerMomentum },
    averageMoments: options.moments === 'average',
    stepsPerRound: averagingBy(arrangement).sync_every,
    ...(offloaded &&
      !streamsBase(options) && {
        offload: {
          folder: resolve(run.paths.offload),
          ...PLACEMENTS[options.offload as keyof typeof PLACEMENTS],
          ...(chosen.from?.streamed && { from: chosen.from }),
        },
      }),
  });
  // A large model takes a second to trace, and this is all that arrangements differ in.
  const needs = new Map<number, MemoryNeed>();
  const needOf = (setup: Omit<Parameters<typeof memoryNeed>[0], 'learned'>): MemoryNeed => {
    const need = needs.get(setup.replicas) ?? memoryNeed({ ...setup, learned });
    needs.set(setup.replicas, need);
    return need;
  };
  const require = (setup: TeamSetup) => {
    // Of a run with `memory` it is settled (see `settle-memory.ts`).
    if (device !== 'cpu' || options.force || options.memory !== undefined) return;
    const ways = () => layeredWays(options, { ...setup, learned }).find(({ total }) => total <= available);
    requireMemory({ ...setup, learned }, needOf(setup), available, ways);
  };

  let measured: Measured[] = [];
  const given = offloaded && options.replicas === 'auto' ? { ...options, replicas: 1 } : options;
  const arrangement = await chooseArrangement(given, chosen, device, async (choices) => {
    const setups = choices.map((choice) => setupFor(choice));
    require(setups[0]!);
    const fitting = setups.filter((setup) => device !== 'cpu' || needOf(setup).total <= available);
    if (fitting.length < 2) return choices[0]!;
    const total = fitting.reduce((sum, setup) => sum + needOf(setup).total, 0);
    const names = fitting.map(nameOf).join(' or ');
    emit({ type: 'preparing', stage: `measuring which is faster, ${names}: about ${Math.ceil(MEASURE_SECONDS)} s` });
    const first = () => prepared.initial();
    const looks = await measureSpeeds(fitting, layout, first, total <= available, startReplica);
    const compared = compareLooks(looks);
    emit({ type: 'notice', message: comparisonText(fitting, looks, compared, learned) });
    measured = fitting.map(({ replicas, threads }, i) => ({
      ...{ replicas, threads },
      tokens_per_second: compared.medians[i]!,
    }));
    return choices[compared.clear ? setups.indexOf(fitting[compared.fastest]!) : 0]!;
  });
  const { replicas, threads } = arrangement;
  const tokensPerStep = replicas * options.batchSize * options.gradAccum * perSample;
  const { schedule, earlier } = longer(
    run,
    layout.size + learned.frozen.size,
    planSteps(options, tokensPerStep, prepared.rows && prepared.rows * perSample).schedule,
    from,
    emit,
  );
  const setup = setupFor(arrangement, schedule);
  if (setup.offload && !(await goesDirect(setup.offload.folder))) emit({ type: 'notice', message: cachedText(run) });
  const layered = layeredNeed(learned, setup, streamsBase(options));
  if (!layered) require(setup);
  else if (!options.force && options.memory === undefined) requireOffload(layered, available);
  await run.choose({
    ...{ device, replicas, threads, optimizer, schedule, averaging: averagingBy(arrangement) },
    ...((options.precision ?? 'fp32') !== 'fp32' && { precision }),
    ...(earlier.length > 0 && { earlier: [...earlier] }),
    ...(measured.length > 0 && { measured }),
  });
  const memory = {
    ...(device === 'cpu' && { expectedMemoryBytes: layered?.total ?? needOf(setup).total }),
    availableMemoryBytes: available,
  };
  if (layered) return { setup, earlier, memory };
  // While it is measured, parameters, moments and the outer momentum lie beside the replicas.
  const beside = 4 * layout.size * Float32Array.BYTES_PER_ELEMENT;
  const open = options.replicas === 'auto' && options.threads === undefined && threadChoices(setup).length > 1;
  const fits = device === 'cpu' && needOf(setup).total + beside <= available;
  return { setup, earlier, memory, ...(open && fits && { watch: new SpeedWatch() }) };
}

/** Of a file system that knows no way past the system's cache. */
const cachedText = ({ paths }: OpenRun): string =>
  `Files in ${shownPath(paths.offload)} cannot be read and written past the system's cache (O_DIRECT): they are through it, which ` +
  'takes longer and lets go of what else the system keeps there. ext4, xfs and btrfs on a local disk can do without.';

/** What a run takes that goes through its model layer by layer, if it does. */
function layeredNeed(learned: PreparedRun['learned'], setup: TeamSetup, besideBase: boolean): OffloadNeed | undefined {
  if (besideBase) return streamedBaseNeed(learned, setup);
  if (setup.stage !== undefined) return shardedNeed(learned, setup, setup.stage);
  return setup.offload && offloadNeed(learned, setup, setup.offload);
}

/** @throws UsageError where moments in few bits would be in the memory of a device */
function requireFloat32({ moments }: TeamSetup['optimizer'], device: NodeDevice): void {
  if (moments === undefined) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('momentsPrecision', moments.precision)} is of the CPU: on ${device} the optimiser's moments stay in the ` +
      `device's memory, in float32. Take ${option('device', 'cpu')}, or leave ${option('momentsPrecision')} out.`,
  );
}

/**
 * What replicas give each other, and what they share out between them.
 *
 * @throws UsageError where they are to share out and make no joint step, have all in a device's memory, or train by another
 * optimiser than can be
 */
function sharing(
  { zero }: Pick<ParsedTrainOptions, 'zero'>,
  {
    optimizer,
    averaging,
  }: { readonly optimizer: TeamSetup['optimizer']; readonly averaging: NonNullable<Chosen['averaging']> },
  { replicas }: ThreadArrangement,
  device: NodeDevice,
): Pick<TeamSetup, 'exchange' | 'sharded' | 'stage'> {
  const exchange = exchangeOf(replicas, averaging);
  // One alone has all.
  if (zero === 0 || replicas === 1) return { exchange, sharded: false };
  const { sync_every: every } = averaging;
  const stage = zero === 2 || zero === 3 ? zero : undefined;
  const refuse = (why: (spelling: Spelling) => string) => {
    throw spelledError(UsageError, (spelling) => {
      const { option } = spelling;
      const what = stage ? "the model's state" : "the optimiser's moments";
      return `${option('zero', zero)} shares ${what} out between replicas that make one joint step${why(spelling)}`;
    });
  };
  if (device !== 'cpu')
    refuse(
      ({ option }) =>
        `, on the CPU: on ${device} they stay in the device's memory. Take ${option('device', 'cpu')}, or leave ` +
        `${option('zero')} out.`,
    );
  if (every !== 1)
    refuse(
      ({ option }) =>
        `, and this run's average every ${every} steps. Leave ${option('zero')} out, or begin a new run with it.`,
    );
  if (stage === undefined) return { exchange, sharded: true };
  if (optimizer.muon)
    refuse(
      ({ option }) =>
        `, by AdamW, and this run's matrices are trained by Muon. Take ${option('zero', 1)}, or begin a new run.`,
    );
  return { exchange: 'nothing', sharded: false, stage };
}

/** What a run's products are computed in. A model of one's own has none that are known as such. */
async function precisionOf({ options, chosen }: OpenRun, device: NodeDevice): Promise<PrecisionChoice> {
  const { precision = 'fp32' } = options as Partial<ParsedTrainOptions>;
  if (precision === 'fp32') return { precision };
  return choosePrecision(precision, await createEngine(device), { known: chosen.precision });
}

/** As `run.json` keeps it. */
type Measured = NonNullable<Chosen['measured']>[number];

async function chooseArrangement(
  options: ParsedTrainOptions,
  chosen: Chosen,
  device: NodeDevice,
  measure: (choices: readonly ThreadArrangement[]) => Promise<ThreadArrangement>,
): Promise<ThreadArrangement> {
  if (chosen.replicas !== undefined && chosen.threads !== undefined) {
    return { replicas: chosen.replicas, threads: chosen.threads };
  }
  const cores = availableParallelism();
  // ONNX Runtime's WebGPU (1.30.0) is of one thread: a run in a second one ends the whole process.
  if (device === 'webgpu') {
    if (options.replicas !== 'auto' && options.replicas > 1)
      throw spelledError(
        UsageError,
        ({ option }) =>
          `${option('replicas', options.replicas)} would share one GPU between threads, which WebGPU does not let them. Take ` +
          `${option('replicas', 1)}; several processes are averaged by cluster start and join.`,
      );
    return { replicas: 1, threads: options.threads ?? 1 };
  }
  if (options.replicas !== 'auto') {
    const threads = options.threads ?? Math.max(1, Math.floor(cores / options.replicas));
    return { replicas: options.replicas, threads };
  }
  const choices = candidates(cores, options.threads);
  return choices.length > 1 ? measure(choices) : choices[0]!;
}

/** `2 replicas of 1 thread`. */
function nameOf({ replicas, threads }: ThreadArrangement): string {
  return `${replicas} ${replicas === 1 ? 'replica' : 'replicas'} of ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
}

function comparisonText(
  arrangements: readonly ThreadArrangement[],
  looks: readonly (readonly number[])[],
  { medians, fastest, clear }: ArrangementComparison,
  learned: PreparedRun['learned'],
): string {
  const unit = unitOf(learned);
  const figures = arrangements.map((one, i) => {
    const [least, most] = [Math.min(...looks[i]!), Math.max(...looks[i]!)].map(Math.round);
    return `${nameOf(one)} ${Math.round(medians[i]!)} ${unit}/s (${least} to ${most})`;
  });
  const verdict = clear
    ? `${nameOf(arrangements[fastest]!)} it is`
    : `too close or too noisy to tell, so ${nameOf(arrangements[0]!)}, which averages nothing`;
  return `Measured for automatic replicas: ${figures.join(', ')}: ${verdict}.`;
}

/** The schedule of a run, and those that it had before it was made longer. */
function longer(
  { options, chosen }: OpenRun,
  parameters: number,
  steps: number,
  from: number,
  emit: (event: TrainEvent) => void,
): { schedule: ScheduleOptions; earlier: readonly EarlierSchedule[] } {
  const seconds = options.minutes === undefined ? undefined : 60 * options.minutes;
  const { schedule: old, earlier = [] } = chosen;
  if (!old) return { schedule: { ...scheduleOf(options, parameters, steps), ...(seconds && { seconds }) }, earlier };
  if (old.steps === steps && old.seconds === seconds) return { schedule: old, earlier };
  const nameOfLength = (one: Pick<ScheduleOptions, 'steps' | 'seconds'>) =>
    one.seconds === undefined ? `${one.steps} steps` : `${one.seconds / 60} minutes`;
  const [was, is] = [old, { steps, seconds }].map(nameOfLength);
  emit({
    type: 'notice',
    message: `Goes on to ${is} instead of ${was}: from step ${from} on the learning rate is that of a run so long.`,
  });
  const before = earlier.filter(({ until }) => until <= from);
  if (from > 0) before.push({ until: from, schedule: scheduleAt(old, earlier, from) });
  return { schedule: { ...old, steps, ...(seconds && { seconds }) }, earlier: before };
}

/** The learning rate over so many steps: what the options say, or what suits the size. */
export function scheduleOf(options: ParsedTrainOptions, parameters: number, steps: number): ScheduleOptions {
  const peak = learningRateOf(options, parameters);
  const shape = options.schedule ?? (options.from === undefined ? 'linear' : 'cosine');
  // A run that a loss alone ends may go on at the last rate.
  const ends = options.untilLoss === undefined || LIMITS.some((name) => options[name] !== undefined);
  return {
    shape,
    peak,
    final: options.minLr ?? (shape === 'linear' && ends ? 0 : peak / 10),
    warmup: options.warmup ?? Math.min(100, Math.floor(steps / 10)),
    steps,
  };
}
