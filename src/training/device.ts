import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import type { Engine } from '../engine/engine.js';
import type { NodeDevice } from '../engine/node/engine.js';

/** What makes ONNX Runtime's CUDA provider available; it is not in the npm package. */
export const INSTALL_CUDA = 'node node_modules/onnxruntime-node/script/install --onnxruntime-node-install=cuda12';

/**
 * The device that `--device` means, without loading the engine. `auto` is the CPU.
 *
 * @throws MeanfieldError for `cuda` where its provider is not installed, with the line that installs it
 */
export function resolveDevice(device: NodeDevice | 'auto', cudaInstalled = hasCudaProvider): NodeDevice {
  if (device === 'auto') return 'cpu';
  if (device === 'cuda' && !cudaInstalled()) {
    throw new MeanfieldError(
      `--device cuda needs ONNX Runtime's CUDA provider, which is not installed. Run once: ${INSTALL_CUDA}`,
    );
  }
  return device;
}

/** Loads ONNX Runtime for a device. */
export async function openEngine(device: NodeDevice): Promise<Engine> {
  const { NodeEngine } = await import('../engine/node/engine.js');
  return new NodeEngine(device);
}

function hasCudaProvider(): boolean {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const library = process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
  return existsSync(join(root, 'bin/napi-v6', process.platform, process.arch, library));
}
