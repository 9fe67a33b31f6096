import { MeanfieldError } from '../../base/errors.js';
import type { Engine } from '../engine.js';
import type { DeviceChoice, NodeDevice } from './device-names.js';
import { cudaAdvice, cudaInstalled, type ProbeDevice, probeInChild } from './devices.js';

/** How {@link chooseDevice} learns about this machine. */
export interface DeviceFacts {
  readonly cudaInstalled?: boolean;
  readonly probe?: ProbeDevice;
}

/**
 * The device behind a choice. `auto` is CUDA where the provider is installed and a GPU answers, else the CPU; WebGPU is
 * used only when it is named: no run on a real GPU has shown yet that it is the faster one.
 *
 * @throws MeanfieldError when CUDA is named and not installed, with the command that installs it
 */
export async function chooseDevice(choice: DeviceChoice, facts: DeviceFacts = {}): Promise<NodeDevice> {
  const { cudaInstalled: installed = cudaInstalled(), probe = probeInChild } = facts;
  if (choice === 'cuda' && !installed) {
    throw new MeanfieldError(`The CUDA provider of ONNX Runtime is not installed. ${cudaAdvice()}`);
  }
  if (choice !== 'auto') return choice;
  return installed && 'speeds' in (await probe('cuda', [1])) ? 'cuda' : 'cpu';
}

/** The engine for a device of this machine; loads ONNX Runtime. Errors as {@link chooseDevice}. */
export async function createEngine(choice: DeviceChoice = 'auto', facts: DeviceFacts = {}): Promise<Engine> {
  const device = await chooseDevice(choice, facts);
  const { NodeEngine } = await import('./engine.js');
  return new NodeEngine(device);
}
