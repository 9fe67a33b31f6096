import type { Context } from '../context.js';
import { Operator } from './operator.js';

/** Ends a run after the round in progress. */
export async function stopCluster(folder: string, { output }: Context): Promise<number> {
  await Operator.once(folder, 'stop', {});
  output.event({ type: 'result', run: folder, stopping: true });
  output.text(`Stopping after the round in progress. To go on: meanfield cluster start --run ${folder} --resume\n`);
  return 0;
}

/** Throws a worker out. */
export async function evictWorker(folder: string, worker: string, reason: string, context: Context): Promise<number> {
  await Operator.once(folder, 'evict', { worker, reason });
  context.output.event({ type: 'result', run: folder, evicted: worker });
  context.output.text(`${worker} is out.\n`);
  return 0;
}
