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
  const usual = framework.habits ?? habitsOf(framework.name);
  const half = usual.halfGradients ? { ...usual, ...halfGradients } : usual;
  const layers = new Map<number, Layer[]>();
  let layer: Layer | undefined;
  let cut: Cut | undefined;

  const layerOf = (arrangement: Arrangement): Layer => {
    if (layer !== undefined && sameLayer(layer.of, arrangement)) return layer;
    let known = layers.get(arrangement.microBatch);
    if (known === undefined) layers.set(arrangement.microBatch, (known = []));
    layer = known.find(({ of }) => sameLayer(of, arrangement));
    if (layer === undefined) {
      layer = { of: arrangement, habits: arrangement.precision === 'fp16' ? half : usual, memory: {} };
      known.push(layer);
    }
    return layer;
  };

  const cutOf = (arrangement: Arrangement): Cut => {
    if (cut !== undefined && sameCut(cut.of, arrangement)) return cut;
    const stages = cutStages(workload, arrangement, usual.headAsLayer);
    cut = { of: arrangement, stages, parameters: deviceParameters(workload, arrangement, stages) };
    return cut;
  };

  const room = (arrangement: Arrangement): StepRoom => {
    const own = layerOf(arrangement);
    const { stages, parameters } = cutOf(arrangement);
    const kept = (own.memory[arrangement.recompute] ??= layerMemory(workload, arrangement, own.habits));
    const m = microBatches(arrangement);
    const memory = memoryUse(workload, cluster, arrangement, own.habits, stages, parameters, m, constants.memory, kept);
    return { memory, fits: memory.total <= memory.available && memory.host <= cluster.host.memory };
  };

  const time = (arrangement: Arrangement): StepTime => {
    const own = layerOf(arrangement);
    const { stages, parameters } = cutOf(arrangement);
    const { habits } = own;
    const c = constants.time;
    own.time ??= layerTime(workload, cluster, arrangement, habits, c);
    own.head ??= headTime(workload, cluster, arrangement, habits, c);
    const { efficiency } = framework;
    return stepTime(workload, cluster, arrangement, habits, efficiency, stages, parameters, c, own.time, own.head);
  };

  const step = (
    arrangement: Arrangement,
    { memory, fits }: StepRoom,
    spent: StepTime = time(arrangement),
  ): StepPrediction => {
    const { habits } = layerOf(arrangement);
    const { stages, parameters } = cutOf(arrangement);
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
      time: spent,
      tokensPerSecond: tokens / spent.total,
      modelFlop,
      hardwareFlop: modelFlop + tokens * again,
      utilization: modelFlop / (spent.total * rate),
      ...trafficOf(workload, cluster, arrangement, habits, stages, parameters, microBatches(arrangement)),
    };
  };

  return { room, time, step };
}

/** One step of {@link stepModel}. Pure. */
export function predictStep(
  workload: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  framework: Framework,
  constants: Constants = shippedConstants,
): StepPrediction {
  const model = stepModel(workload, cluster, framework, constants);
  return model.step(arrangement, model.room(arrangement));
}

predictStep.model = stepModel;
