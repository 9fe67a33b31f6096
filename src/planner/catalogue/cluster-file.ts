import { z } from 'zod';
import { UsageError } from '../../base/errors.js';
import { isJsonObject, type JsonValue } from '../../base/json.js';
import { ACCELERATOR_KINDS, type Accelerator, type Cluster, PRECISIONS } from '../types.js';
import { findAccelerator, isKnownAccelerator, toAccelerator } from './accelerators.js';
import { describedCluster, type NodeDescription, usualNodeDescription } from './clusters.js';
import { given, resolveSources } from './sources.js';
import { rangeWarning, unitWarning } from './units.js';

/**
 * A cluster that a file describes, and what in it looks like a slip of units.
 *
 * @category Planning a machine
 */
export interface DescribedCluster {
  readonly cluster: Cluster;
  readonly warnings: readonly string[];
}

const positive = z.number().positive().max(1e12);
const count = z.int().positive().max(100_000_000);
const rates = z.partialRecord(z.enum(PRECISIONS), positive);

const acceleratorSchema = z.strictObject({
  name: z.string().min(1).max(200),
  year: z.int().min(1990).max(2100),
  kind: z.enum(ACCELERATOR_KINDS),
  memory_GiB: positive,
  memoryBandwidth_GBps: positive,
  rates_TFLOPS: rates.refine((value) => Object.keys(value).length > 0, 'expected the rate of one format at least'),
  measuredRates_TFLOPS: rates.optional(),
  fp64_TFLOPS: positive.nullish(),
  scaleUp_GBps: positive.nullish(),
  power_W: positive,
  price_USD_per_hour: positive.nullish(),
});

const nameSchema = z.string().min(1).max(200);

const namedSchema = z.strictObject({
  name: nameSchema.optional(),
  accelerator: nameSchema,
  accelerators: count,
  perNode: count.optional(),
  intraNode_GBps: positive.optional(),
  /** 0: no network, nodes that work alone. */
  interNode_Gbps: z.number().nonnegative().max(1e12).optional(),
  intraLatency_us: positive.optional(),
  interLatency_us: positive.optional(),
  hostCores: count.optional(),
  hostMemory_GB: positive.optional(),
  hostMemoryBandwidth_GBps: positive.optional(),
  disk_GB: positive.nullish(),
  diskBandwidth_GBps: positive.nullish(),
  hostLink_GBps: positive.optional(),
  hostPower_W: z.number().nonnegative().max(1e9).optional(),
  powerUsageEffectiveness: z.number().min(1).max(10).optional(),
  nodeMeanTimeBetweenFailures_days: positive.optional(),
  storageBandwidth_GBps: positive.optional(),
  price_USD_per_hour: positive.nullish(),
});

/** A schema for each form, not a union: a union's error does not say which key of a described card is wrong. */
const describedSchema = namedSchema.extend({ accelerator: acceleratorSchema });

type ClusterFile = z.infer<typeof namedSchema> | z.infer<typeof describedSchema>;

/** Fields of a node in which a slip of units shows. */
const comparedFields = [
  'intraNode_GBps',
  'interNode_Gbps',
  'intraLatency_us',
  'interLatency_us',
  'hostMemory_GB',
  'hostMemoryBandwidth_GBps',
  'disk_GB',
  'diskBandwidth_GBps',
  'hostLink_GBps',
  'hostPower_W',
] as const;

/**
 * A cluster from the content of a cluster file: an accelerator, by name or described, how many, and what is known of
 * the nodes; the rest is taken from the node that such an accelerator usually stands in.
 *
 * @param name what to call it when the file does not say
 * @throws UsageError naming each key that is wrong, what was expected and what it holds
 */
export function clusterFromJson(json: JsonValue, name: string): DescribedCluster {
  const described = isJsonObject(json) && isJsonObject(json.accelerator);
  const result = (described ? describedSchema : namedSchema).safeParse(json, { reportInput: true });
  if (!result.success) throw new UsageError(`${name} describes no cluster: ${problems(result.error)}.`);
  const file = result.data;
  const warnings: string[] = [];
  const accelerator = acceleratorOf(file, name, warnings);
  const usual = usualNodeDescription(accelerator);
  const ofNodes = Object.fromEntries(
    Object.entries(file).filter(([key, value]) => value !== undefined && !notOfNodes.has(key)),
  ) as Partial<NodeDescription>;
  const node: NodeDescription = { ...usual, ...ofNodes };
  const cluster = describedCluster(file.name ?? name, accelerator, file.accelerators, node, {
    ...resolveSources(usual.sources),
    ...Object.fromEntries(Object.keys(ofNodes).map((key) => [sourceField(key), given(name)])),
    accelerators: given(name),
  });
  const ofNode = `the usual node of ${accelerator.name}`;
  for (const field of comparedFields) {
    const value = file[field];
    const known = field === 'intraNode_GBps' ? (accelerator.scaleUp ?? 0) / 1e9 || usual[field] : usual[field];
    if (value != null && known != null) warn(warnings, unitWarning({ name: field, value, known, of: ofNode }));
  }
  return { cluster, warnings };
}

const notOfNodes = new Set(['name', 'accelerator', 'accelerators']);

function acceleratorOf(file: ClusterFile, where: string, warnings: string[]): Accelerator {
  if (typeof file.accelerator === 'string') return findAccelerator(file.accelerator);
  const { name, ...description } = file.accelerator;
  const fields = ['year', 'memory', 'memoryBandwidth', 'rates', 'measuredRates', 'fp64', 'scaleUp', 'power', 'price'];
  const sources = Object.fromEntries(fields.map((field) => [field, given(where)]));
  const accelerator = toAccelerator(name, description, sources);
  const known = isKnownAccelerator(name) ? findAccelerator(name) : undefined;
  for (const { field, of } of comparedFigures) {
    const value = of(accelerator);
    if (value == null) continue;
    const knownValue = known && of(known);
    if (knownValue != null) warn(warnings, unitWarning({ name: field, value, known: knownValue, of: known!.name }));
    else if (!known) warn(warnings, rangeWarning(field, value, accelerator.kind, of));
  }
  return accelerator;
}

/** Figures of an accelerator in which a slip of units shows, in the file's units. */
const comparedFigures: readonly {
  readonly field: string;
  readonly of: (accelerator: Accelerator) => number | null | undefined;
}[] = [
  { field: 'memory_GiB', of: (a) => a.memory / 2 ** 30 },
  { field: 'memoryBandwidth_GBps', of: (a) => a.memoryBandwidth / 1e9 },
  { field: 'rates_TFLOPS.fp32', of: (a) => a.rates.fp32 && a.rates.fp32 / 1e12 },
  { field: 'rates_TFLOPS.fp16', of: (a) => a.rates.fp16 && a.rates.fp16 / 1e12 },
  { field: 'rates_TFLOPS.bf16', of: (a) => a.rates.bf16 && a.rates.bf16 / 1e12 },
  { field: 'rates_TFLOPS.fp8', of: (a) => a.rates.fp8 && a.rates.fp8 / 1e12 },
  { field: 'fp64_TFLOPS', of: (a) => a.fp64 && a.fp64 / 1e12 },
  { field: 'scaleUp_GBps', of: (a) => a.scaleUp && a.scaleUp / 1e9 },
  { field: 'power_W', of: (a) => a.power },
];

function warn(warnings: string[], warning: string | undefined): void {
  if (warning !== undefined) warnings.push(warning);
}

/** The field of {@link Cluster} that a key of the file fills. */
function sourceField(key: string): string {
  const field = key.replace(/_.*/, '');
  if (field === 'hostLink' || field === 'hostPower') return field;
  return field.startsWith('host') ? 'host' : field.startsWith('disk') ? 'disk' : field;
}

function problems(error: z.ZodError): string {
  const shown = error.issues.slice(0, 5).map((issue) => {
    const path = issue.path.map(String).join('.').slice(0, 100);
    const got =
      issue.input === undefined || typeof issue.input === 'object' ? '' : `, got ${String(issue.input).slice(0, 40)}`;
    return `${path ? `${path}: ` : ''}${issue.message.slice(0, 200)}${got}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
