import { join } from 'node:path';
import { bundle } from './child.js';

/** Bundles `test/children/trainer.ts` with the threads that it starts, so that plain Node processes run today's sources. */
export async function buildTrainer(): Promise<{ readonly script: string; remove(): Promise<void> }> {
  const { folder, remove } = await bundle({
    trainer: 'test/children/trainer.ts',
    'replica-worker': 'src/local/replica-worker.ts',
    'encode-worker': 'src/data/encode-worker.ts',
  });
  return { script: join(folder, 'trainer.js'), remove };
}
