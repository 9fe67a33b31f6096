import { MeanfieldError } from '../../base/errors.js';
import type { Context } from '../context.js';
import { shellQuote } from '../format.js';
import { Operator } from './operator.js';

/** Ends a run after the round in progress. */
export async function stopCluster(folder: string, { output }: Context): Promise<number> {
  await Operator.once(folder, 'stop', {});
  output.event({ type: 'result', run: folder, stopping: true });
  output.text(
    `Stopping after the round in progress. To go on: meanfield cluster start --run ${shellQuote(folder)} --resume\n`,
  );
  return 0;
}

/**
 * Throws a worker out.
 *
 * @throws MeanfieldError when there is no such worker
 */
export async function evictWorker(folder: string, worker: string, reason: string, context: Context): Promise<number> {
  const answer = (await Operator.once(folder, 'evict', { worker, reason })) as EvictAnswer;
  if (!answer.done) throw new MeanfieldError(`The coordinator did not evict ${worker}: ${answer.reason}`);
  context.output.event({ type: 'result', run: folder, evicted: worker, known: answer.known });
  context.output.text(
    answer.known
      ? `${worker} is out.\n`
      : `The run remembers no worker ${worker}; should it come, it is refused. Names: meanfield cluster status ` +
          `${shellQuote(folder)}\n`,
  );
  return 0;
}

/** What the coordinator answers. */
type EvictAnswer = { readonly done: true; readonly known: boolean } | { readonly done: false; readonly reason: string };
