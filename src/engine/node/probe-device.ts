/**
 * Measures one device and prints what it found as JSON, for `devices.ts`: a process of its own, since a driver that
 * fails may end the process that asks it, and since no other pool of threads may take its cores.
 */
import { messageOf } from '../../base/errors.js';
import { measureProducts } from '../matrix-speed.js';
import { measureSteps } from '../step-speed.js';
import type { NodeDevice } from './device-names.js';
import type { Probe } from './devices.js';
import { NodeEngine } from './engine.js';

const [device, ...threads] = process.argv.slice(2) as [NodeDevice, ...string[]];

async function probe(): Promise<Probe> {
  try {
    const speeds = [];
    for (const count of threads.map(Number)) {
      speeds.push({ threads: count, gflops: await measureProducts(new NodeEngine(device), { threads: count }) });
    }
    return { speeds, step: await measureSteps(new NodeEngine(device)) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

process.stdout.write(JSON.stringify(await probe()));
