import { UsageError } from '../../base/errors.js';
import { nearestNames, plain } from '../../base/nearest.js';
import type { Accelerator, Precision, Source } from '../types.js';
import { generationOf, readName } from './accelerator-name.js';
import table from './accelerators.json' with { type: 'json' };
import { describedCpu } from './described-cpu.js';
import { given, resolveSources, type SourceKeys } from './sources.js';

/** Rates by format, 10¹² FLOP/s. */
type Teraflops = { readonly [P in Precision]?: number | undefined };

/** An accelerator as `accelerators.json` and cluster files write it, units in the names. */
export interface AcceleratorDescription {
  readonly year: number;
  readonly kind: Accelerator['kind'];
  readonly memory_GiB: number;
  readonly memoryBandwidth_GBps: number;
  readonly rates_TFLOPS: Teraflops;
  readonly measuredRates_TFLOPS?: Teraflops | undefined;
  readonly fp64_TFLOPS?: number | null | undefined;
  readonly scaleUp_GBps?: number | null | undefined;
  readonly power_W: number;
  readonly price_USD_per_hour?: number | null | undefined;
}

interface CatalogueEntry extends AcceleratorDescription {
  /** `HBM2e`; written where cards of a generation differ. */
  readonly memoryType?: string;
  /** The node it usually stands in, a name of `nodes.json`. */
  readonly node: string;
  readonly aliases: readonly string[];
  readonly sources: SourceKeys;
}

const entries = table as unknown as Readonly<Record<string, CatalogueEntry>>;

/** The names of the accelerators of the catalogue; aliases are not among them. */
export const accelerators: readonly string[] = Object.keys(entries);

/** By name and alias as {@link plain} writes them. */
const byName = new Map(
  Object.entries(entries).flatMap(([name, entry]) => [name, ...entry.aliases].map((alias) => [plain(alias), name])),
);

/** Models of the catalogue, without form, memory and power. */
const generations: readonly string[] = [...new Set(accelerators.map(generationOf))];

/** What is asked of a card beside its name; it goes before what the name says. */
export interface AskedCard {
  /** As its seller counts. */
  readonly memoryGB?: number | undefined;
  /** Watts that it may take. */
  readonly power?: number | undefined;
}

/**
 * An accelerator of the catalogue by name or alias, or by the parts of a name: the model, how it is mounted, its memory
 * and its power. `NVIDIA A100-SXM4-40GB` is `A100-SXM-40GB`, and `H100 (HBM2e 96GB, 500W)` an H100 with that memory and
 * power; a card of another model is never taken. A processor may be told by its measured figures ({@link describedCpu}).
 *
 * @throws UsageError naming the nearest names, or for a memory or power that no card can have
 */
export function findAccelerator(name: string, asked: AskedCard = {}): Accelerator {
  const cpu = describedCpu(name, asked.memoryGB);
  if (cpu) return cpu;
  const found = resolve(name);
  if (!found) {
    const names = [...accelerators, ...Object.values(entries).flatMap(({ aliases }) => aliases)];
    throw new UsageError(
      `Unknown accelerator ${JSON.stringify(name.slice(0, 64))}. Nearest: ${nearestNames(name, names).join(', ')}. ` +
        'Name one of the catalogue, or describe yours in a cluster file.',
    );
  }
  const memoryGB = asked.memoryGB ?? found.memoryGB;
  const power = asked.power ?? found.power;
  if (memoryGB !== undefined && !(memoryGB > 0 && memoryGB <= 100_000)) {
    throw new UsageError(`Expected the memory of a card of ${found.name}'s kind in GB, above 0, got ${memoryGB}.`);
  }
  if (power !== undefined && !(power > 0 && power <= 100_000)) {
    throw new UsageError(`Expected the power of a card of ${found.name}'s kind in watts, above 0, got ${power}.`);
  }
  return withPower(withMemory(found.name, memoryGB, found.memoryType), power);
}

/** A card with so much memory: the catalogue's, its sibling's, or the card with its memory replaced. */
function withMemory(name: string, memoryGB: number | undefined, type: string | undefined): Accelerator {
  if (memoryGB === undefined || sameMemory(name, memoryGB)) return fromCatalogue(name);
  const sibling = accelerators.find((other) => series(other) === series(name) && sameMemory(other, memoryGB));
  if (sibling) return fromCatalogue(sibling);
  const card = fromCatalogue(name);
  // As many stacks of the kind of memory that it is said to have, each as fast as in the catalogue's card with them.
  const alike = accelerators.find(
    (other) => generationOf(other) === generationOf(name) && entries[other]!.memoryType?.toLowerCase() === type,
  );
  const stacks = alike === undefined || type === undefined ? undefined : entries[alike]!;
  return {
    ...card,
    name: `${series(name)}-${memoryGB}GB`,
    memory: memoryGB * 2 ** 30,
    memoryBandwidth: stacks ? stacks.memoryBandwidth_GBps * 1e9 * (memoryGB / stacks.memory_GiB) : card.memoryBandwidth,
    sources: {
      ...card.sources,
      memory: given(`${memoryGB} GB, as asked for`),
      ...(stacks ? { memoryBandwidth: given(`of ${type}, by ${alike}`) } : {}),
    },
  };
}

/** Whether a power is what the card of the catalogue has, give or take how people round. */
const samePower = (card: Accelerator, power: number): boolean => Math.abs(power / card.power - 1) < 0.06;

/** A card that may take so much power. */
function withPower(card: Accelerator, power: number | undefined): Accelerator {
  if (power === undefined || samePower(card, power)) return card;
  return {
    ...card,
    name: `${card.name}-${power}W`,
    power,
    powerShare: power / card.power,
    sources: { ...card.sources, power: given(`${power} W, as asked for`) },
  };
}

/** Whether kernels exist that compute attention in tiles: cards of 2020 and later (arXiv 2205.14135), and TPUs. */
export const hasTiledAttention = ({ kind, year }: Accelerator): boolean =>
  kind === 'tpu' || (kind === 'gpu' && year >= 2020);

/** Whether a name, or one of its kind, is in the catalogue. */
export const isKnownAccelerator = (name: string): boolean => resolve(name) !== undefined;

/** The node that an accelerator of the catalogue usually stands in; undefined for one that is not of the catalogue. */
export function usualNode(accelerator: Accelerator): string | undefined {
  const name = resolve(accelerator.name)?.name;
  return name === undefined ? undefined : entries[name]!.node;
}

function fromCatalogue(name: string): Accelerator {
  const entry = entries[name]!;
  return toAccelerator(name, entry, resolveSources(entry.sources));
}

interface Resolved {
  readonly name: string;
  readonly memoryGB?: number;
  readonly memoryType?: string;
  readonly power?: number;
}

function resolve(name: string): Resolved | undefined {
  const exact = byName.get(plain(name.slice(0, 200)));
  if (exact !== undefined) return { name: exact };
  const parts = readName(name, generations);
  if (!parts) return undefined;
  const { generation, form, ...rest } = parts;
  const usual = byName.get(plain(generation));
  const all = accelerators.filter((other) => generationOf(other) === generation);
  const sockets = /sxm[0-9]/i.exec(name)?.[0];
  const score = (other: string): number =>
    (form === undefined || (form === 'pcie') === /pcie/i.test(other) ? 8 : 0) +
    (sockets && other.toLowerCase().includes(sockets.toLowerCase()) ? 4 : 0) +
    (rest.memoryGB !== undefined && sameMemory(other, rest.memoryGB) ? 2 : 0) +
    (other === usual ? 1 : 0);
  const [best] = [...all].sort((a, b) => score(b) - score(a));
  return { name: best!, ...rest };
}

/** A name without its memory. */
const series = (name: string): string => name.replace(/-([0-9]+GB|GCD)/, '');

/** Whether a card's memory is what its seller calls so many GB: what the driver reports is a few per cent off. */
function sameMemory(name: string, memoryGB: number): boolean {
  return Math.abs(entries[name]!.memory_GiB / memoryGB - 1) < 0.11;
}

/** A description in base units. */
export function toAccelerator(
  name: string,
  d: AcceleratorDescription,
  sources: Readonly<Record<string, Source>>,
): Accelerator {
  return {
    name,
    year: d.year,
    kind: d.kind,
    memory: d.memory_GiB * 2 ** 30,
    memoryBandwidth: d.memoryBandwidth_GBps * 1e9,
    rates: inFlops(d.rates_TFLOPS),
    measuredRates: inFlops(d.measuredRates_TFLOPS ?? {}),
    fp64: d.fp64_TFLOPS == null ? null : d.fp64_TFLOPS * 1e12,
    scaleUp: d.scaleUp_GBps == null ? null : d.scaleUp_GBps * 1e9,
    power: d.power_W,
    price: d.price_USD_per_hour ?? null,
    sources,
  };
}

function inFlops(rates: Teraflops): Partial<Record<Precision, number>> {
  return Object.fromEntries(
    Object.entries(rates).flatMap(([format, teraflops]) => (teraflops ? [[format, teraflops * 1e12]] : [])),
  );
}
