import { UsageError } from '../../base/errors.js';
import { nearestNames, plain } from '../../base/nearest.js';
import type { Accelerator, Cluster, Source } from '../types.js';
import { findAccelerator, usualNode } from './accelerators.js';
import table from './clusters.json' with { type: 'json' };
import nodeTable from './nodes.json' with { type: 'json' };
import { resolveSources, type SourceKeys } from './sources.js';

/** A node and what comes with it, as `nodes.json` and cluster files write it, units in the names. */
export interface NodeDescription {
  readonly perNode: number;
  /** Default: the accelerator's own links, or those to the host. */
  readonly intraNode_GBps?: number | null | undefined;
  readonly interNode_Gbps: number;
  readonly intraLatency_us: number;
  readonly interLatency_us: number;
  readonly hostCores: number;
  readonly hostMemory_GB: number;
  readonly hostMemoryBandwidth_GBps: number;
  readonly disk_GB?: number | null | undefined;
  readonly diskBandwidth_GBps?: number | null | undefined;
  readonly hostLink_GBps: number;
  readonly hostPower_W: number;
  readonly powerUsageEffectiveness: number;
  readonly nodeMeanTimeBetweenFailures_days: number;
  readonly storageBandwidth_GBps_per_node: number;
  /** Of the whole cluster, instead of so much a node. */
  readonly storageBandwidth_GBps?: number | undefined;
  /** Of one accelerator with its share of the node. */
  readonly price_USD_per_hour?: number | null | undefined;
}

interface CatalogueNode extends NodeDescription {
  readonly accelerator: string;
  /** Accelerators of a tray, where a node is a rack of trays that jobs take one by one. */
  readonly tray?: number;
  readonly sources: SourceKeys;
}

interface CatalogueCluster extends Partial<NodeDescription> {
  readonly node: string;
  readonly accelerator?: string;
  readonly accelerators: number;
  readonly aliases: readonly string[];
  readonly sources: SourceKeys;
}

const nodes = nodeTable as unknown as Readonly<Record<string, CatalogueNode>>;
const entries = table as unknown as Readonly<Record<string, CatalogueCluster>>;

/** The names of the clusters of the catalogue; `64xh100` and the like need not be there. */
export const clusters: readonly string[] = Object.keys(entries);

const byName = new Map(
  Object.entries(entries).flatMap(([name, entry]) => [name, ...entry.aliases].map((alias) => [plain(alias), name])),
);

/** The largest cluster that a shorthand may ask for: more accelerators than were ever made is a slip. */
const LARGEST = 100_000_000;

/**
 * A cluster of the catalogue by name or alias, or `NxNAME`: so many of an accelerator in its usual nodes.
 *
 * @throws UsageError naming the nearest names, or for a count that cannot be
 */
export function findCluster(name: string): Cluster {
  const negative = /^ *(-[0-9.]+) *[x×*]/i.exec(name);
  if (negative) throw wrongCount(negative[1]!, name);
  const known = byName.get(plain(name));
  if (known !== undefined) {
    const { accelerator, accelerators, node, aliases: _, sources, ...overrides } = entries[known]!;
    const card = findAccelerator(accelerator ?? nodes[node]!.accelerator);
    return describedCluster(
      known,
      card,
      accelerators,
      { ...nodes[node]!, ...overrides },
      {
        ...resolveSources(nodes[node]!.sources),
        ...resolveSources(sources),
      },
    );
  }
  const shorthand = /^ *([0-9]{1,12}) *[x×*] *(.+)$/i.exec(name.slice(0, 200));
  if (shorthand) return usualCluster(findAccelerator(shorthand[2]!), Number(shorthand[1]), name);
  throw new UsageError(
    `Unknown cluster ${JSON.stringify(name.slice(0, 64))}. Nearest: ${nearestNames(name, clusters).join(', ')}. ` +
      'Allowed: a name of the catalogue, NxACCELERATOR such as 64xh100, or a JSON file.',
  );
}

/**
 * So many of an accelerator in the nodes that it usually stands in.
 *
 * @throws UsageError for a count that is not a whole number from 1
 */
export function usualCluster(
  accelerator: Accelerator,
  accelerators: number,
  name = `${accelerators}x${accelerator.name}`,
): Cluster {
  if (!Number.isInteger(accelerators) || accelerators < 1 || accelerators > LARGEST) {
    throw wrongCount(accelerators, name);
  }
  const node = nodes[usualNodeName(accelerator)]!;
  const perNode = jobsNode(node, accelerators);
  const part = perNode / node.perNode;
  const scaled = node.tray === undefined || part === 1 ? node : partOf(node, part);
  return describedCluster(name, accelerator, accelerators, { ...scaled, perNode }, resolveSources(node.sources));
}

function wrongCount(got: number | string, name: string): UsageError {
  return new UsageError(
    `Expected 1 to ${LARGEST} accelerators, a whole number, got ${String(got).slice(0, 40)} (${name.slice(0, 64)}).`,
  );
}

/** The description of the node that an accelerator usually stands in. */
export function usualNodeDescription(accelerator: Accelerator): NodeDescription & { readonly sources: SourceKeys } {
  return nodes[usualNodeName(accelerator)]!;
}

function usualNodeName(accelerator: Accelerator): string {
  const usual = { gpu: 'pcie-server', tpu: 'tpuv4-pod', cpu: 'cpu-server', browser: 'laptop' }[accelerator.kind];
  return usualNode(accelerator) ?? (accelerator.scaleUp === null ? usual : 'dgx-h100');
}

/**
 * Accelerators of a node that a job of so many has: all of one node, or, of racks made of trays, the largest equal
 * parts (a job of 256 takes 64 of the 72 of each of 4 racks).
 */
function jobsNode({ perNode, tray }: CatalogueNode, accelerators: number): number {
  if (accelerators <= perNode) return accelerators;
  if (tray === undefined) return perNode;
  for (let size = perNode; size > tray; size -= tray) if (accelerators % size === 0) return size;
  return perNode;
}

/** Some trays of a rack. */
function partOf(node: CatalogueNode, part: number): CatalogueNode {
  const scale = (value: number | null | undefined) => (value == null ? null : value * part);
  return {
    ...node,
    interNode_Gbps: node.interNode_Gbps * part,
    hostCores: Math.max(1, Math.round(node.hostCores * part)),
    hostMemory_GB: node.hostMemory_GB * part,
    hostMemoryBandwidth_GBps: node.hostMemoryBandwidth_GBps * part,
    disk_GB: scale(node.disk_GB),
    diskBandwidth_GBps: scale(node.diskBandwidth_GBps),
    hostPower_W: node.hostPower_W * part,
    nodeMeanTimeBetweenFailures_days: node.nodeMeanTimeBetweenFailures_days / part,
    storageBandwidth_GBps_per_node: node.storageBandwidth_GBps_per_node * part,
  };
}

/** A description in base units. */
export function describedCluster(
  name: string,
  accelerator: Accelerator,
  accelerators: number,
  d: NodeDescription,
  sources: Readonly<Record<string, Source>>,
): Cluster {
  const perNode = Math.min(d.perNode, accelerators);
  const nodeCount = Math.ceil(accelerators / perNode);
  return {
    name,
    accelerator,
    accelerators,
    perNode,
    intraNode: d.intraNode_GBps == null ? (accelerator.scaleUp ?? d.hostLink_GBps * 1e9) : d.intraNode_GBps * 1e9,
    interNode: (d.interNode_Gbps * 1e9) / 8,
    intraLatency: d.intraLatency_us * 1e-6,
    interLatency: d.interLatency_us * 1e-6,
    host: {
      cores: d.hostCores,
      memory: d.hostMemory_GB * 1e9,
      memoryBandwidth: d.hostMemoryBandwidth_GBps * 1e9,
      diskBandwidth: d.diskBandwidth_GBps == null ? null : d.diskBandwidth_GBps * 1e9,
      disk: d.disk_GB == null ? null : d.disk_GB * 1e9,
      link: d.hostLink_GBps * 1e9,
    },
    hostPower: d.hostPower_W,
    powerUsageEffectiveness: d.powerUsageEffectiveness,
    price: d.price_USD_per_hour ?? accelerator.price,
    nodeMeanTimeBetweenFailures: d.nodeMeanTimeBetweenFailures_days * 86_400,
    storageBandwidth: (d.storageBandwidth_GBps ?? d.storageBandwidth_GBps_per_node * nodeCount) * 1e9,
    sources: { ...inherited(accelerator.sources), ...sources },
  };
}

/** What a cluster takes from its accelerator where it does not say otherwise. */
function inherited({ scaleUp, price }: Accelerator['sources']): Record<string, Source> {
  return { ...(scaleUp ? { intraNode: scaleUp } : {}), ...(price ? { price } : {}) };
}
