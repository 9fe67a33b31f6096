import { encodedBytes } from '../averaging/formats/index.js';
import type { Model } from '../model/model.js';
import { muonBytes } from '../training/muon.js';
import type { RunSetup } from './protocol/configuration.js';

/** What a process needs beside any model: Node, ONNX Runtime, buffers of messages. */
const PROCESS = 250e6;
/** Floats that a token keeps for the backward pass, for each of a block's width (measured: about 30 with attention). */
const KEPT_PER_WIDTH = 34;
/** Tokens of a training window: all that the model can see, or fewer. */
export function contextOf({ dimensions }: Model, setup: Pick<RunSetup, 'context'>): number {
  return Math.min(setup.context ?? dimensions.context, dimensions.context);
}

/** Bytes of messages that a process keeps at most for its replicas to find again. */
const MOST_KEPT = 512 * 2 ** 20;
/** Copies of the logits while the loss and its gradient are computed. */
const LOGITS = 3;

/** What a worker's replicas need, in bytes, by part. */
export interface MachineMemoryNeed {
  readonly vectors: number;
  readonly activations: number;
  /** Contributions and results that are kept. */
  readonly messages: number;
  readonly process: number;
  readonly total: number;
}

/**
 * Memory of a process with so many replicas: trained and frozen parameters, gradient, two moments, the committed vectors, the decoded
 * result and what rounding lost; activations of one micro-batch; messages; the process itself. An estimate, made to
 * refuse what cannot fit.
 */
export function memoryNeeded(model: Model, setup: RunSetup, replicas: number): MachineMemoryNeed {
  const { layers, width, heads, vocabulary } = model.dimensions;
  const context = contextOf(model, setup);
  const committed = 1 + (setup.outer.method === 'nesterov' ? 1 : 0) + (setup.averageMoments ? 2 : 0);
  const accumulation = setup.gradAccum > 1 ? 1 : 0;
  const residual = setup.cluster.format === 'int4' ? 1 : 0;
  const frozen = model.storage?.bytes ?? 4 * model.frozen.size;
  const vectors = 4 * model.trained.size * (4 + committed + accumulation + residual + 1) + frozen;
  // The factors of dropout, of residuals and of probabilities.
  const factors = setup.dropout ? 2 * width + heads * context : 0;
  const perToken = layers * (KEPT_PER_WIDTH * width + 2 * heads * context + factors) + LOGITS * vocabulary;
  const activations = 4 * setup.batchSize * context * perToken + muonBytes(setup.optimizer.muon);
  const parts = {
    vectors: replicas * vectors,
    activations: replicas * activations,
    messages: keptMessages(model, setup, replicas),
    process: PROCESS,
  };
  return { ...parts, total: parts.vectors + parts.activations + parts.messages + parts.process };
}

/** Bytes of messages that a process with so many replicas keeps: their contributions and what becomes of them. */
export function keptMessages(model: Model, { cluster, averageMoments }: RunSetup, replicas: number): number {
  const { size } = model.trained;
  const moments = averageMoments ? 2 * encodedBytes(cluster.momentsFormat, size) : 0;
  return Math.min(MOST_KEPT, 2 * replicas * (encodedBytes(cluster.format, size) + moments));
}

/** The sum, for people. */
export function describeNeed({ vectors, activations, messages, process, total }: MachineMemoryNeed): string {
  const gb = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  return `${gb(vectors)} for vectors + ${gb(activations)} for activations + ${gb(messages)} for messages + ${gb(process)} for the process = ${gb(total)}`;
}
