import { hasTiledAttention } from '../catalogue/accelerators.js';
import type { FrameworkDefaults } from '../catalogue/frameworks.js';
import type { Arrangement, Cluster, Precision, Workload } from '../types.js';
import type { Fields } from './fields.js';

/** What a row leaves open, and whoever ran it will have chosen to suit. */
export interface Open {
  readonly microBatch: boolean;
  readonly recompute: boolean;
  /** Chunks of layers on a device. */
  readonly interleave: boolean;
  /** Micro-batches of a rank's step, where the batch is what they come to. */
  readonly steps: number | undefined;
}

/** Degrees of parallelism of a row; data parallelism takes what the others leave. */
export interface Degrees {
  readonly data: number;
  readonly tensor: number;
  readonly pipeline: number;
  readonly context: number;
  readonly accelerators: number;
}

/** Degrees as printed; one that is missing is 1, and data parallelism what is left of the accelerators. */
export function degreesOf(fields: Fields): Degrees {
  const tensor = fields.count('tp') ?? 1;
  const pipeline = fields.count('pp') ?? 1;
  const context = fields.count('cp') ?? 1;
  const given = fields.count('n_accel');
  const printed = fields.count('dp');
  const inner = tensor * pipeline * context;
  const accelerators = given ?? fields.assume('n_accel', inner * (printed ?? 1));
  const data = Math.max(1, Math.floor(accelerators / inner));
  if (printed === undefined && accelerators > 1) fields.assume('dp', data);
  else if (printed !== undefined && printed !== data)
    fields.assume(`dp ${printed} does not fit n_accel, taken as`, data);
  return { data, tensor, pipeline, context, accelerators: data * inner };
}

/** The format of products by its name in a row: `amp_bf16`, `fp16/bf16`, `FP8-CS`, `MXFP8`, … */
export function precisionOf(fields: Fields, cluster: Cluster, usual: Precision | undefined): Precision {
  const text = fields.text('precision').toLowerCase();
  const named = /mxfp8|nvfp4|fp4|fp8|bf16|fp16|tf32|fp32|half|bfloat16|float32/.exec(
    text.replace('fp16/bf16', 'bf16'),
  )?.[0];
  switch (named) {
    case 'mxfp8':
      return 'mxfp8';
    case 'nvfp4':
    case 'fp4':
      return 'nvfp4';
    case 'half':
      return 'fp16';
    case 'bfloat16':
      return 'bf16';
    case 'float32':
      return 'fp32';
    case undefined: {
      const { rates } = cluster.accelerator;
      const other = rates.bf16 ? 'bf16' : rates.fp16 ? 'fp16' : 'fp32';
      return fields.assume('precision', usual && rates[usual] ? usual : other);
    }
    default:
      return named as Precision;
  }
}

/**
 * ZeRO's stage: a number, `ZeRO-3`, or `FSDP` for 3 (all split); else what the framework's name says. Split within a node
 * and repeated over nodes (`HSDP`) is nearest to 2 between nodes: parameters stay, gradients go once.
 */
export function zeroOf(fields: Fields, usual: Arrangement['zero']): Arrangement['zero'] {
  const text = fields.text('zero_stage');
  if (/hsdp|hybrid/i.test(text)) return 2;
  const named = /(?:zero|stage)[-_ ]*([0-3])/i;
  const stage = (/^([0-3])/.exec(text) ?? named.exec(text))?.[1];
  if (stage !== undefined) return Number(stage) as Arrangement['zero'];
  if (/fsdp|full/i.test(text)) return 3;
  const told = named.exec(fields.text('framework'))?.[1];
  return fields.assume('zero_stage', told === undefined ? usual : (Number(told) as Arrangement['zero']));
}

/** What is offloaded to the host, by the words of a row. */
export function offloadOf(fields: Fields): Arrangement['offload'] {
  const text = fields.text('offload').toLowerCase();
  if (/param/.test(text)) return 'optimizer+parameters';
  return /optim|cpu|host/.test(text) ? 'optimizer' : 'none';
}

/** Recomputation as printed; undefined where it was not. */
export function recomputeOf(fields: Fields): Arrangement['recompute'] | undefined {
  const text = fields.text('recompute').toLowerCase();
  if (/^(none|no|false|off)\b/.test(text)) return 'none';
  if (/select/.test(text)) return 'selective';
  return /full|yes|true|\ball\b|checkpoint|ckpt|every|each/.test(text) ? 'full' : undefined;
}

/** Chunks of layers a device holds, as printed; `>1`: the least that cut a stage's layers evenly. */
export function interleaveOf(fields: Fields, w: Workload, pipeline: number): number {
  const printed = fields.count('vpp');
  if (pipeline === 1) return 1;
  if (printed !== undefined) return printed;
  if (!/>/.test(fields.text('vpp'))) return 1;
  const layers = w.layers / pipeline;
  let chunks = 2;
  while (chunks < layers && layers % chunks !== 0) chunks++;
  return fields.assume('vpp', layers <= 2 ? 1 : Number.isInteger(layers) ? chunks : 2);
}

/** Sequences of a step in the first, longer phase of BERT's pre-training (arXiv 1904.00962, §4.1). */
const BERT_BATCH = 65536;

/** Sizes of the batch: sequences of a step and of a micro-batch where printed, and micro-batches of a rank's step. */
export function batchOf(
  fields: Fields,
  data: number,
  causal: boolean,
): { global?: number; micro: number | undefined; steps: number } {
  const micro = fields.count('micro_batch', 1e6);
  const steps = fields.count('grad_accum', 1e6);
  const printed = fields.count('global_batch_seqs');
  if (printed !== undefined) {
    const share = steps ? Math.max(1, Math.round(printed / data / steps)) : undefined;
    return { global: printed, micro: micro ?? share, steps: steps ?? 1 };
  }
  // What a rank works through in a step, as torchtitan counts.
  const local = /\blocal batch (?:size )?(\d{1,6})\b/i.exec(fields.text('notes'))?.[1];
  if (local !== undefined) return { global: data * Number(local), micro: micro ?? undefined, steps: 1 };
  if (!causal && micro === undefined && steps === undefined) {
    return { global: fields.assume('global_batch_seqs', BERT_BATCH), micro, steps: 1 };
  }
  fields.assumptions.push('global_batch_seqs: dp · micro_batch · grad_accum');
  return { micro, steps: steps ?? fields.assume('grad_accum', 1) };
}

/** Devices that share a layer's experts: as printed, else as many as a node has, where experts and ranks divide so. */
function expertsOver(fields: Fields, w: Workload, cluster: Cluster, { data, context }: Degrees): number {
  const ranks = data * context;
  const printed = fields.count('ep');
  if (printed !== undefined || !w.experts) return Math.min(printed ?? 1, ranks);
  let devices = Math.min(cluster.perNode, w.experts.count, ranks);
  while (w.experts.count % devices !== 0 || ranks % devices !== 0) devices--;
  return fields.assume('ep', devices);
}

/** The micro-batch of a framework that cuts a rank's sequences into as many as the pipeline has ranks. */
function cutByStages(
  fields: Fields,
  { data, pipeline }: Degrees,
  { stageMicroBatchesUntil }: FrameworkDefaults,
  global: number | undefined,
): number | undefined {
  const year = fields.count('year', 9999);
  if (stageMicroBatchesUntil === undefined || year === undefined || year > stageMicroBatchesUntil) return undefined;
  if (pipeline === 1 || global === undefined || fields.count('grad_accum', 1e6) !== undefined) return undefined;
  return fields.assume('micro_batch', Math.max(1, Math.round(global / data / pipeline)));
}

/** An arrangement of what is printed and what the framework does unless told otherwise. */
export function arrangementOf(
  fields: Fields,
  w: Workload,
  cluster: Cluster,
  degrees: Degrees,
  defaults: FrameworkDefaults,
  sequence: number,
): { readonly arrangement: Arrangement; readonly open: Open } {
  const { global, micro: printed, steps } = batchOf(fields, degrees.data, w.causal);
  const micro = printed ?? cutByStages(fields, degrees, defaults, global);
  const recompute = recomputeOf(fields);
  const arrangement: Arrangement = {
    data: degrees.data,
    tensor: degrees.tensor,
    // Selective recomputation and sequence parallelism came together (arXiv 2205.05198).
    sequenceParallel: (defaults.sequenceParallel || recompute === 'selective') && degrees.tensor > 1,
    pipeline: degrees.pipeline,
    interleave: interleaveOf(fields, w, degrees.pipeline),
    context: degrees.context,
    expert: expertsOver(fields, w, cluster, degrees),
    zero: zeroOf(fields, defaults.zero),
    offload: offloadOf(fields),
    offloadTo: /disk|nvme/i.test(fields.text('offload')) ? 'disk' : 'host',
    recompute: recompute ?? defaults.recompute,
    precision: precisionOf(fields, cluster, defaults.precision),
    microBatch: Math.min(micro ?? 1, Math.max(1, Math.ceil((global ?? Number.POSITIVE_INFINITY) / degrees.data))),
    globalBatch: global ?? degrees.data * (micro ?? 1) * steps,
    sequence,
    flashAttention: defaults.flashAttention && hasTiledAttention(cluster.accelerator),
  };
  return {
    arrangement,
    open: {
      microBatch: micro === undefined,
      recompute: recompute === undefined,
      interleave: defaults.interleaved && degrees.pipeline > 1 && fields.text('vpp') === '',
      steps: global === undefined ? steps : undefined,
    },
  };
}
