import type { Cluster } from '../types.js';
import { usualCluster } from './clusters.js';
import { cpuInWords, describedCpu, type MeasuredCpu } from './described-cpu.js';
import { given } from './sources.js';

/** Bytes a second of a disk that checkpoints go to: any solid-state one. */
const DISK = 1e9;

/**
 * A machine by itself as a cluster of one: all cores of its processor are one device, as one replica of a run uses them.
 *
 * @param memory bytes that a run may have
 */
export function thisMachine(cpu: MeasuredCpu, memory: number): Cluster {
  const accelerator = describedCpu(cpuInWords(cpu), memory / 1e9);
  if (!accelerator) throw new Error(`a processor's figures must be above 0: ${JSON.stringify(cpu)}`);
  const usual = usualCluster(accelerator, 1, 'this machine');
  return {
    ...usual,
    intraNode: cpu.memoryBandwidth,
    interNode: 0,
    host: {
      cores: cpu.cores,
      memory,
      memoryBandwidth: cpu.memoryBandwidth,
      diskBandwidth: null,
      disk: null,
      link: cpu.memoryBandwidth,
    },
    hostPower: 0,
    powerUsageEffectiveness: 1,
    price: null,
    storageBandwidth: DISK,
    sources: {
      accelerator: { kind: 'measured', where: 'this machine' },
      power: given('10 W a core'),
      storageBandwidth: given('a solid-state disk'),
    },
  };
}
