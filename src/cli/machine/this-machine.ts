import { availableParallelism, cpus, totalmem } from 'node:os';
import { MeanfieldError } from '../../base/errors.js';
import { availableMemory } from '../../base/files/available-memory.js';
import { type ProbeDevice, probeInChild } from '../../engine/node/devices.js';
import { type MeasuredCpu, thisMachine } from '../../planner/catalogue/index.js';
import type { Cluster } from '../../planner/types.js';

/** Doubles of a copy, 64 MiB: more than caches of a core hold. */
const COPIED = 2 ** 23;
const COPIES = 8;

/** What `--cluster this` stands for, measured: a second or two. */
export async function measureThisMachine(probe: ProbeDevice = probeInChild): Promise<{
  readonly cluster: Cluster;
  readonly cpu: MeasuredCpu;
}> {
  const cpu = await measureCpu(probe);
  // What other programs hold is theirs: a run can have what is free, or what its control group leaves.
  const memory = Math.max(1, Math.min(totalmem(), availableMemory()));
  return { cluster: thisMachine(cpu, memory), cpu };
}

/** @throws MeanfieldError when the products cannot be measured */
async function measureCpu(probe: ProbeDevice): Promise<MeasuredCpu> {
  const cores = availableParallelism();
  const measured = await probe('cpu', [cores]);
  const speed = 'speeds' in measured ? measured.speeds.at(-1) : undefined;
  if (speed === undefined || !(speed.gflops > 0)) {
    const reason = 'error' in measured ? measured.error : 'its test measured nothing';
    throw new MeanfieldError(`This machine's products could not be measured: ${reason}. See: meanfield devices`);
  }
  return {
    model: cpus()[0]?.model.trim() || process.arch,
    cores,
    rate: speed.gflops * 1e9,
    memoryBandwidth: copyBandwidth(),
  };
}

/** Bytes a second that copying reads and writes, the best of some copies. */
function copyBandwidth(): number {
  const from = new Float64Array(COPIED).fill(1);
  const to = new Float64Array(COPIED);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < COPIES; i++) {
    const start = performance.now();
    to.set(from);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * from.byteLength * 1000) / best;
}
