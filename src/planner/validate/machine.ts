import { findAccelerator } from '../catalogue/accelerators.js';
import { usualCluster } from '../catalogue/clusters.js';
import type { Accelerator, Cluster } from '../types.js';
import type { Fields } from './fields.js';

/**
 * The accelerator of a row.
 *
 * @throws UsageError where its name is of no card of the catalogue: a prediction for another would say nothing
 */
function acceleratorOf(fields: Fields): Accelerator {
  const memoryGB = fields.number('accel_mem_GB');
  // A package of two dies is two devices where eight are counted in a node of four packages.
  if (/mi250/i.test(fields.text('accel')) && fields.count('accel_per_node') === 8) {
    return findAccelerator(fields.text('accel'), { memoryGB: 64 });
  }
  return findAccelerator(fields.text('accel'), memoryGB !== undefined && memoryGB < 1e5 ? { memoryGB } : {});
}

/**
 * Omni-Path's share of its nominal bandwidth beside InfiniBand's: NCCL has no direct way from it to a GPU's memory.
 * Jean Zay's own measurements, printed in its rows, are lower still (23 to 57 of 400 Gb/s on V100 nodes).
 */
const OMNI_PATH = 0.4;

/**
 * Bytes a second between nodes. A bandwidth that exchanges were measured to reach, where a row prints one beside the
 * nominal figure, has the share of the link that exchanges reach in it already.
 */
function networkOf(fields: Fields, linkEfficiency: number): number | undefined {
  const nominal = fields.number('inter_node_Gbps_per_node');
  if (nominal === undefined) return undefined;
  const text = fields.text('inter_node_Gbps_per_node');
  const measured = /(\d+)-(\d+) *gb\/s measured/i.exec(text);
  if (measured) return ((Math.sqrt(Number(measured[1]) * Number(measured[2])) / 8) * 1e9) / linkEfficiency;
  return (nominal / 8) * 1e9 * (/\bopa|omni/i.test(text.replace(/\d+/g, ' ')) ? OMNI_PATH : 1);
}

/**
 * The machine of a row: so many accelerators in their usual nodes, with the links that the row prints.
 *
 * @param linkEfficiency share of a link's nominal bandwidth that exchanges reach
 */
export function clusterOf(fields: Fields, accelerators: number, linkEfficiency: number): Cluster {
  const usual = usualCluster(acceleratorOf(fields), accelerators);
  const perNode = Math.min(fields.count('accel_per_node') ?? usual.perNode, accelerators);
  const intra = fields.number('intra_node_GBps');
  return {
    ...usual,
    perNode,
    intraNode: intra === undefined ? usual.intraNode : intra * 1e9,
    interNode: networkOf(fields, linkEfficiency) ?? usual.interNode,
  };
}
