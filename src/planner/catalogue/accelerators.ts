import { UsageError } from '../../base/errors.js';
import type { Accelerator, Precision, Source } from '../types.js';
import table from './accelerators.json' with { type: 'json' };
import { nearestNames, plain } from './nearest.js';
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

/** What a name may say beside the model: who makes it, and what its memory and its socket are called. */
const decoration =
  /nvidia|tesla|geforce|amd|instinct|radeon|google|cloud|intel|habana|aws|hbm[0-9]?e?|\b[0-9]+ *x +|\bgpus?\b|\bchips?\b/gi;

/**
 * An accelerator of the catalogue by name or alias; case and punctuation do not matter, and makers' and memories' names
 * are passed over: `NVIDIA A100-SXM4-40GB` is `A100-SXM-40GB`.
 *
 * @param memoryGB of a card, as its seller counts: picks `A100-SXM-40GB` for `A100`; where no such card is in the
 *   catalogue, the card with its memory replaced
 * @throws UsageError naming the nearest names, or for a memory that no card can have
 */
export function findAccelerator(name: string, { memoryGB }: { memoryGB?: number } = {}): Accelerator {
  const found = resolve(name);
  if (!found) {
    const names = [...accelerators, ...Object.values(entries).flatMap(({ aliases }) => aliases)];
    throw new UsageError(
      `Unknown accelerator ${JSON.stringify(name.slice(0, 64))}. Nearest: ${nearestNames(name, names).join(', ')}. ` +
        'Name one of the catalogue, or describe yours in a cluster file.',
    );
  }
  const asked = memoryGB ?? found.memoryGB;
  if (asked !== undefined && !(asked > 0 && asked <= 100_000)) {
    throw new UsageError(`Expected the memory of a card of ${found.name}'s kind in GB, above 0, got ${asked}.`);
  }
  if (asked === undefined || sameMemory(found.name, asked)) return fromCatalogue(found.name);
  const sibling = accelerators.find((other) => series(other) === series(found.name) && sameMemory(other, asked));
  if (sibling) return fromCatalogue(sibling);
  const card = fromCatalogue(found.name);
  return {
    ...card,
    name: `${series(card.name)}-${asked}GB`,
    memory: asked * 2 ** 30,
    sources: { ...card.sources, memory: given(`${asked} GB, as asked for`) },
  };
}

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

function resolve(name: string): { readonly name: string; readonly memoryGB?: number } | undefined {
  const exact = byName.get(plain(name));
  if (exact !== undefined) return { name: exact };
  const bare = name.slice(0, 200).replaceAll(decoration, ' ');
  const size = /([0-9]{1,3}) *gi?b/i.exec(bare);
  const sizeless = size ? bare.replace(size[0], '') : bare;
  for (const text of [bare, sizeless]) {
    // Sockets carry numbers (SXM4) that a catalogue's name may leave out.
    const found = byName.get(plain(text)) ?? byName.get(plain(text.replace(/sxm[0-9]/gi, 'SXM')));
    if (found !== undefined)
      return size && text !== bare ? { name: found, memoryGB: Number(size[1]) } : { name: found };
  }
  return undefined;
}

/** A name without its memory. */
const series = (name: string): string => name.replace(/-[0-9]+GB/, '');

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
