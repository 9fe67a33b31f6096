import { UsageError } from '../../base/errors.js';
import { findAccelerator } from '../catalogue/accelerators.js';
import { usualCluster } from '../catalogue/clusters.js';
import type { Accelerator, Cluster } from '../types.js';
import type { Fields } from './fields.js';

/** What a row whose accelerator the catalogue does not know is predicted for. */
const UNKNOWN = 'A100-SXM-80GB';

/** The accelerator of a row: the catalogue's, or the default where its name is unknown, which is noted. */
function acceleratorOf(fields: Fields): Accelerator {
  const name = fields.text('accel');
  const memoryGB = fields.number('accel_mem_GB');
  const sane = memoryGB !== undefined && memoryGB < 1e5 ? { memoryGB } : {};
  try {
    return findAccelerator(name, sane);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return findAccelerator(
      fields.assume(`accelerator ${JSON.stringify(name.slice(0, 40))} unknown, taken for`, UNKNOWN),
    );
  }
}

/** The machine of a row: so many accelerators in their usual nodes, with the links that the row prints. */
export function clusterOf(fields: Fields, accelerators: number): Cluster {
  const usual = usualCluster(acceleratorOf(fields), accelerators);
  const perNode = Math.min(fields.count('accel_per_node') ?? usual.perNode, accelerators);
  const intra = fields.number('intra_node_GBps');
  const inter = fields.number('inter_node_Gbps_per_node');
  return {
    ...usual,
    perNode,
    intraNode: intra === undefined ? usual.intraNode : intra * 1e9,
    interNode: inter === undefined ? usual.interNode : (inter / 8) * 1e9,
  };
}
