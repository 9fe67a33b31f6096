import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsdown';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Bundles `test/children/trainer.ts` with the threads that it starts, so that plain Node processes run today's sources. */
export async function buildTrainer(): Promise<{ readonly script: string; remove(): Promise<void> }> {
  // Below the package, so that its dependencies are found.
  const outDir = await mkdtemp(join(root, 'node_modules/.trainer-'));
  await build({
    config: false,
    entry: {
      trainer: join(root, 'test/children/trainer.ts'),
      'replica-worker': join(root, 'src/cluster/replica-worker.ts'),
      'encode-worker': join(root, 'src/data/encode-worker.ts'),
    },
    outDir,
    format: 'esm',
    fixedExtension: false,
    platform: 'node',
    dts: false,
    clean: false,
    logLevel: 'error',
  });
  return { script: join(outDir, 'trainer.js'), remove: () => rm(outDir, { recursive: true, force: true }) };
}
