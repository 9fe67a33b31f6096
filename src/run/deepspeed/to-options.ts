import { z } from 'zod';
import { UsageError } from '../../base/errors.js';
import { readJsonFile } from '../../base/files/json-file.js';
import { spelledError } from '../../base/spelling.js';
import { notShared, type TrainOptions } from '../options.js';
import { sortKeys } from './keys.js';

/** What a configuration says in Meanfield's options. */
export interface DeepSpeedOptions {
  readonly options: Partial<TrainOptions>;
  /** What was read, and what does nothing here and why. */
  readonly notice: string;
}

const count = z.int().positive();
const amount = z.number().nonnegative();
const rate = z.number().positive();
const device = z.enum(['cpu', 'nvme']).optional();

/** The keys that have a meaning here, flat. `enabled` of both precisions may be left out, as DeepSpeed has it. */
const schema = z.strictObject({
  train_batch_size: count.optional(),
  train_micro_batch_size_per_gpu: count.optional(),
  gradient_accumulation_steps: count.optional(),
  gradient_clipping: amount.optional(),
  'optimizer.type': z.string().optional(),
  'optimizer.params.lr': rate.optional(),
  'optimizer.params.betas': z.tuple([amount.lt(1), amount.lt(1)]).optional(),
  'optimizer.params.eps': rate.optional(),
  'optimizer.params.weight_decay': amount.optional(),
  'optimizer.params.momentum': z.number().optional(),
  'optimizer.params.adam_w_mode': z.boolean().optional(),
  'scheduler.type': z.string().optional(),
  'scheduler.params.warmup_min_lr': amount.optional(),
  'scheduler.params.warmup_max_lr': rate.optional(),
  'scheduler.params.warmup_num_steps': z.int().nonnegative().optional(),
  'scheduler.params.warmup_type': z.enum(['log', 'linear']).optional(),
  'scheduler.params.total_num_steps': count.optional(),
  'scheduler.params.warmup_min_ratio': amount.optional(),
  'scheduler.params.cos_min_ratio': amount.max(1).optional(),
  'zero_optimization.stage': z.int().min(0).max(3).optional(),
  'zero_optimization.offload_optimizer.device': device,
  'zero_optimization.offload_param.device': device,
  'fp16.enabled': z.boolean().optional(),
  'bf16.enabled': z.boolean().optional(),
});

type Read = z.infer<typeof schema>;

/**
 * Reads a configuration of DeepSpeed (deepspeed.ai/docs/config-json). What it leaves out stays as Meanfield has it; what
 * has no meaning here is named.
 *
 * @param given the other options: one that says something else than the file is an error
 * @throws MeanfieldError when the file is no JSON; UsageError for keys and values that are none, or cannot be had here
 */
export async function optionsOfDeepSpeed(file: string, given: TrainOptions): Promise<DeepSpeedOptions> {
  const config = await readJsonFile(file, 'Give the file that DeepSpeed is started with.');
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new UsageError(`${file} must hold an object of DeepSpeed's keys, such as {"train_batch_size": 32}.`);
  const { read, ignored } = sortKeys(config as Record<string, unknown>, file);
  const checked = schema.safeParse(Object.fromEntries(read));
  if (!checked.success) {
    const [{ path, message }] = checked.error.issues as [z.core.$ZodIssue];
    throw new UsageError(`${file} has a wrong value of ${path.join('.')}: ${message.replace(/^Invalid input: /, '')}.`);
  }
  const notes = new Map([...ignored].map(([why, keys]) => [why, [...keys]]));
  const note = (key: keyof Read, why: string) => notes.set(why, [...(notes.get(why) ?? []), key]);
  const stated: Partial<TrainOptions> = {
    ...batchOf(checked.data, given, file),
    ...optimizerOf(checked.data, file),
    ...scheduleOf(checked.data, given, file, note),
    ...precisionOf(checked.data, file),
    ...offloadOf(checked.data, note),
  };
  const options = { ...stated, ...zeroOf(checked.data, { ...given, ...stated }, note) };
  agree(options, given, file);
  const does = read.size > 0 ? [...read.keys()].join(', ') : 'nothing that has a meaning here';
  const others = [...notes].map(([why, keys]) => `${keys.join(', ')} (${why})`);
  return { options, notice: `${file}: read ${does}${others.length > 0 ? `; ignored ${others.join('; ')}` : ''}.` };
}

/** The batch of a step is micro-batch × micro-batches × replicas; of what is not given one follows, others are 1. */
function batchOf(
  {
    train_batch_size: total,
    train_micro_batch_size_per_gpu: micro,
    gradient_accumulation_steps: steps,
  }: Pick<Read, 'train_batch_size' | 'train_micro_batch_size_per_gpu' | 'gradient_accumulation_steps'>,
  given: TrainOptions,
  file: string,
): Partial<TrainOptions> {
  const part = { ...(micro && { batchSize: micro }), ...(steps && { gradAccum: steps }) };
  if (total === undefined) return part;
  if (given.replicas === 'auto')
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${file} has train_batch_size, which is that of all replicas: give ${option('replicas')} as a number, or ` +
        'train_micro_batch_size_per_gpu alone.',
    );
  const known = (micro ?? 1) * (steps ?? 1) * (given.replicas ?? 1);
  const rest = total / known;
  const whole = Number.isInteger(rest) && (micro === undefined || steps === undefined || !given.replicas || rest === 1);
  if (!whole)
    throw new UsageError(
      `${file} has train_batch_size ${total}, which is not micro-batch × gradient_accumulation_steps × replicas ` +
        `(${micro ?? 'any'} × ${steps ?? 'any'} × ${given.replicas ?? 'any'}). Correct one of them.`,
    );
  if (micro === undefined) return { ...part, batchSize: rest };
  return steps === undefined ? { ...part, gradAccum: rest } : { ...part, replicas: rest * (given.replicas ?? 1) };
}

/** DeepSpeed's names of what Meanfield has. */
const OPTIMIZERS: Readonly<Record<string, 'adamw' | 'muon'>> = { adam: 'adamw', adamw: 'adamw', muon: 'muon' };

function optimizerOf(read: Read, file: string): Partial<TrainOptions> {
  const { 'optimizer.type': type } = read;
  const optimizer = type === undefined ? undefined : OPTIMIZERS[type.toLowerCase()];
  if (type !== undefined && optimizer === undefined)
    throw new UsageError(`${file} has the optimizer ${JSON.stringify(type)}. Meanfield has AdamW (Adam) and Muon.`);
  if (read['optimizer.params.adam_w_mode'] === false)
    throw new UsageError(
      `${file} wants decay in the gradient (adam_w_mode false). Meanfield has AdamW, which decays weights: delete the key.`,
    );
  const momentum = read['optimizer.params.momentum'];
  if (momentum !== undefined && momentum !== 0.95)
    throw new UsageError(`${file} has optimizer.params.momentum ${momentum}. Meanfield's Muon has 0.95.`);
  const { 'optimizer.params.betas': betas, 'optimizer.params.eps': epsilon, 'optimizer.params.lr': lr } = read;
  const { 'optimizer.params.weight_decay': weightDecay, gradient_clipping: clip } = read;
  return {
    ...(optimizer && { optimizer }),
    ...(betas && { beta1: betas[0], beta2: betas[1] }),
    ...(epsilon !== undefined && { epsilon }),
    ...(lr !== undefined && { lr }),
    ...(weightDecay !== undefined && { weightDecay }),
    ...(clip !== undefined && { clip }),
  };
}

/** WarmupLR stays at its peak, WarmupDecayLR falls to 0 by a line, WarmupCosineLR by half a cosine to a share of the peak. */
function scheduleOf(
  read: Read,
  given: TrainOptions,
  file: string,
  note: (key: keyof Read, why: string) => void,
): Partial<TrainOptions> {
  const type = read['scheduler.type'];
  if (type === undefined) return {};
  const cosine = type === 'WarmupCosineLR';
  if (!cosine && type !== 'WarmupLR' && type !== 'WarmupDecayLR')
    throw new UsageError(
      `${file} has the scheduler ${JSON.stringify(type)}. Meanfield has WarmupLR, WarmupDecayLR and WarmupCosineLR.`,
    );
  const least = cosine ? ('scheduler.params.warmup_min_ratio' as const) : ('scheduler.params.warmup_min_lr' as const);
  if (read[least]) note(least, 'a warm-up begins at 0');
  if (!cosine && read['scheduler.params.warmup_type'] !== 'linear')
    note('scheduler.params.warmup_type', 'a warm-up goes by a line, not by the logarithm that is the default there');
  const peak = cosine ? undefined : read['scheduler.params.warmup_max_lr'];
  const lr = peak ?? read['optimizer.params.lr'] ?? given.lr;
  const steps = read['scheduler.params.total_num_steps'];
  if (type !== 'WarmupLR' && steps === undefined)
    throw new UsageError(`${file} has a ${type} without scheduler.params.total_num_steps. Add it there.`);
  if (type !== 'WarmupDecayLR' && lr === undefined)
    throw new UsageError(`${file} has a ${type} but no rate. Add optimizer.params.lr there.`);
  const last = type === 'WarmupDecayLR' ? 0 : lr!;
  return {
    ...(peak !== undefined && { lr: peak }),
    ...(type !== 'WarmupLR' && { steps: steps! }),
    schedule: cosine ? 'cosine' : 'linear',
    minLr: cosine ? last * (read['scheduler.params.cos_min_ratio'] ?? 1e-4) : last,
    warmup: read['scheduler.params.warmup_num_steps'] ?? 1000,
  };
}

function precisionOf(read: Read, file: string): Partial<TrainOptions> {
  const [fp16, bf16] = [read['fp16.enabled'] === true, read['bf16.enabled'] === true];
  if (fp16 && bf16) throw new UsageError(`${file} enables both fp16 and bf16. Keep one.`);
  return fp16 || bf16 ? { precision: fp16 ? 'fp16' : 'bf16' } : {};
}

/** What DeepSpeed keeps on NVMe is kept in files here; what it keeps in the host's memory is there anyhow. */
function offloadOf(read: Read, note: (key: keyof Read, why: string) => void): Partial<TrainOptions> {
  const moments = 'zero_optimization.offload_optimizer.device';
  const parameters = 'zero_optimization.offload_param.device';
  for (const key of [moments, parameters] as const)
    if (read[key] === 'cpu') note(key, "state is in this machine's memory");
  if (read[parameters] === 'nvme') return { offload: 'all' };
  return read[moments] === 'nvme' ? { offload: 'moments' } : {};
}

/**
 * ZeRO is of replicas on the CPU that average gradients; what is computed is always the same. What keeps a run from stages 2 and 3
 * does not keep it from the first.
 */
function zeroOf(read: Read, given: TrainOptions, note: (key: keyof Read, why: string) => void): Partial<TrainOptions> {
  const { offload = 'none', replicas = 1, precision, device, syncEvery = 1 } = given;
  const key = 'zero_optimization.stage';
  const stage = read[key] ?? 0;
  if (stage === 0) return {};
  const whole = [
    [replicas === 1 || offload !== 'none', 'one replica has all of its state'],
    [syncEvery > 1, 'replicas that average every few steps have all of their state each'],
    [
      precision === 'fp16' || precision === 'bf16' || device === 'cuda' || device === 'webgpu',
      'on a GPU each replica has all of its state',
    ],
  ] as const;
  const why = whole.find(([is]) => is)?.[1];
  if (why !== undefined) {
    note(key, why);
    return {};
  }
  const without = stage === 1 ? [] : notShared(given);
  if (without.length === 0) return { zero: stage };
  const list = without.map(({ name, why }) => `${name} (${why})`);
  note(key, `stage 1 is taken: with ${stage} there could not be ${list.join(', ')}`);
  return { zero: 1 };
}

/** @throws UsageError where an option says something else than the file */
function agree(options: Partial<TrainOptions>, given: TrainOptions, file: string): void {
  const limits = options.steps === undefined ? [] : (['tokens', 'minutes'] as const);
  const other = limits.find((name) => given[name] !== undefined);
  if (other)
    throw spelledError(
      UsageError,
      ({ option }) => `${file} says after how many steps the run ends: leave ${option(other)} out.`,
    );
  for (const name of Object.keys(options) as (keyof TrainOptions)[]) {
    const [own, others] = [given[name], options[name]];
    if (own !== undefined && own !== others)
      throw spelledError(
        UsageError,
        ({ option }) => `${option(name)} is ${own}, and ${file} says ${others}. Leave one of them out.`,
      );
  }
}
