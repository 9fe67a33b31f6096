import { type Constants, shippedConstants } from '../catalogue/constants.js';
import { attentionFlop, layerFlop, modelFlopPerToken } from '../catalogue/flop.js';
import { habitsOf } from '../catalogue/frameworks.js';
import type { Arrangement, Cluster, Framework, FrameworkHabits, StepPrediction, StepTime, Workload } from '../types.js';
import { type HeadTime, headTime } from './head.js';
import { type LayerTime, layerTime } from './layer.js';
import { datasheetRate } from './matrix.js';
import { type LayerMemory, layerMemory, memoryUse } from './memory.js';
import { cutStages, deviceParameters, type Stages } from './stages.js';
import { microBatches, stepTime } from './time.js';
import { trafficOf } from './traffic.js';

/** Gradients in 16 bits: the new one and the sum are read, the sum is written. */
const halfGradients = { gradientBytes: 2, reduceBytes: 2, accumulationBytes: 6 };

/** What a step needs, before its time is known. */
export type StepRoom = Pick<StepPrediction, 'memory' | 'fits'>;

/** Steps of one model on one machine with one framework, in parts: most of a search's arrangements need no more of one. */
export interface StepModel {
  room(arrangement: Arrangement): StepRoom;
  time(arrangement: Arrangement): StepTime;
  /** @param room what {@link room} found; @param time what {@link time} found */
  step(arrangement: Arrangement, room: StepRoom, time?: StepTime): StepPrediction;
}

/** What arrangements that split a layer alike have in common, as far as it was asked for. */
interface Layer {
  /** One of them. */
  readonly of: Arrangement;
  readonly habits: FrameworkHabits;
  readonly memory: Partial<Record<Arrangement['recompute'], LayerMemory>>;
  time?: LayerTime;
  head?: HeadTime;
}

/** What arrangements that cut the model alike have in common. */
interface Cut {
  readonly of: Arrangement;
  readonly stages: Stages;
  /** Of one device, before ZeRO splits them. */
  readonly parameters: number;
}

const sameLayer = (a: Arrangement, b: Arrangement): boolean =>
  a.microBatch === b.microBatch &&
  a.tensor === b.tensor &&
  a.context === b.context &&
  a.expert === b.expert &&
  a.sequence === b.sequence &&
  a.precision === b.precision &&
  a.sequenceParallel === b.sequenceParallel &&
  a.flashAttention === b.flashAttention;

const sameCut = (a: Arrangement, b: Arrangement): boolean =>
  a.pipeline === b.pipeline && a.interleave === b.interleave && a.tensor === b.tensor && a.expert === b.expert;

/** Everything of {@link stepModel}. */
class Steps implements StepModel {
  readonly #workload: Workload;
  readonly #cluster: Cluster;
  readonly #efficiency: number;
  readonly #constants: Constants;
  readonly #usual: FrameworkHabits;
  /** With gradients in 16 bits where the framework keeps them so. */
  #half: FrameworkHabits | undefined;
  #layer: Layer | undefined;
  /** Of other arrangements than the last, by micro-batch. */
  #layers: Map<number, Layer[]> | undefined;
  #cut: Cut | undefined;

  constructor(workload: Workload, cluster: Cluster, framework: Framework, constants: Constants) {
    this.#workload = workload;
    this.#cluster = cluster;
    this.#efficiency = framework.efficiency;
    this.#constants = constants;
    this.#usual = framework.habits ?? habitsOf(framework.name);
  }

  room(arrangement: Arrangement): StepRoom {
    const layer = this.#layerOf(arrangement);
    const { stages, parameters } = this.#cutOf(arrangement);
    const kept = (layer.memory[arrangement.recompute] ??= layerMemory(this.#workload, arrangement, layer.habits));
    const memory = memoryUse(
      this.#workload,
      this.#cluster,
      arrangement,
      layer.habits,
      stages,
      parameters,
      microBatches(arrangement),
      this.#constants.memory,
      kept,
    );
    return { memory, fits: memory.total <= memory.available && memory.host <= this.#cluster.host.memory };
  }

  time(arrangement: Arrangement): StepTime {
    const layer = this.#layerOf(arrangement);
    const { habits } = layer;
    const { stages, parameters } = this.#cutOf(arrangement);
    const c = this.#constants.time;
    layer.time ??= layerTime(this.#workload, this.#cluster, arrangement, habits, c);
    layer.head ??= headTime(this.#workload, this.#cluster, arrangement, habits, c);
    return stepTime(
      this.#workload,
      this.#cluster,
      arrangement,
      habits,
      this.#efficiency,
      stages,
      parameters,
      c,
      layer.time,
      layer.head,
    );
  }

  step(arrangement: Arrangement, { memory, fits }: StepRoom, time: StepTime = this.time(arrangement)): StepPrediction {
    const workload = this.#workload;
    const cluster = this.#cluster;
    const { habits } = this.#layerOf(arrangement);
    const { stages, parameters } = this.#cutOf(arrangement);
    const { sequence, globalBatch } = arrangement;
    const tokens = globalBatch * sequence;
    const modelFlop = tokens * modelFlopPerToken(workload, sequence);
    const attention = attentionFlop(workload, sequence);
    const again =
      arrangement.recompute === 'full'
        ? workload.layers * (layerFlop(workload) + attention)
        : arrangement.recompute === 'selective'
          ? workload.layers * attention
          : 0;
    const devices = arrangement.data * arrangement.tensor * arrangement.context * arrangement.pipeline;
    const rate = datasheetRate(cluster.accelerator, arrangement.precision) * devices;
    return {
      memory,
      fits,
      time,
      tokensPerSecond: tokens / time.total,
      modelFlop,
      hardwareFlop: modelFlop + tokens * again,
      utilization: modelFlop / (time.total * rate),
      ...trafficOf(workload, cluster, arrangement, habits, stages, parameters, microBatches(arrangement)),
    };
  }

  #layerOf(arrangement: Arrangement): Layer {
    const last = this.#layer;
    if (last !== undefined && sameLayer(last.of, arrangement)) return last;
    if (last !== undefined) this.#remember(last);
    this.#layer = this.#layers?.get(arrangement.microBatch)?.find(({ of }) => sameLayer(of, arrangement)) ?? {
      of: arrangement,
      habits: this.#habitsFor(arrangement),
      memory: {},
    };
    return this.#layer;
  }

  #remember(layer: Layer): void {
    this.#layers ??= new Map();
    const known = this.#layers.get(layer.of.microBatch);
    if (known === undefined) this.#layers.set(layer.of.microBatch, [layer]);
    else if (!known.includes(layer)) known.push(layer);
  }

  #habitsFor({ precision }: Arrangement): FrameworkHabits {
    if (precision !== 'fp16' || !this.#usual.halfGradients) return this.#usual;
    // Once for all: spreading them takes longer than the rest of a step.
    this.#half ??= { ...this.#usual, ...halfGradients };
    return this.#half;
  }

  #cutOf(arrangement: Arrangement): Cut {
    if (this.#cut !== undefined && sameCut(this.#cut.of, arrangement)) return this.#cut;
    const stages = cutStages(this.#workload, arrangement, this.#usual.headAsLayer);
    this.#cut = { of: arrangement, stages, parameters: deviceParameters(this.#workload, arrangement, stages) };
    return this.#cut;
  }
}

/**
 * Time and memory of training steps. Closed forms throughout, and a layer's are worked out once for all arrangements that
 * split it alike: a search asks for thousands, of some tens of layers.
 *
 * Arrangements are taken as possible; that their degrees divide what they split is for the caller to see to.
 */
export function stepModel(
  workload: Workload,
  cluster: Cluster,
  framework: Framework,
  constants: Constants = shippedConstants,
): StepModel {
  return new Steps(workload, cluster, framework, constants);
}

/** One step of {@link stepModel}. Pure. */
export function predictStep(
  workload: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  framework: Framework,
  constants: Constants = shippedConstants,
): StepPrediction {
  const model = new Steps(workload, cluster, framework, constants);
  return model.step(arrangement, model.room(arrangement));
}

predictStep.model = stepModel;
