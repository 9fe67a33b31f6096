import { setTimeout as sleep } from 'node:timers/promises';
import { MeanfieldError } from '../../base/errors.js';
import { snakeKeys } from '../../base/snake-keys.js';
import type { ClusterStatus } from '../../cluster/index.js';
import type { Context } from '../terminal/context.js';
import { duration } from '../terminal/format.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { statusText } from './cluster-table.js';
import { isCoordinatedHere, RunOperator } from './operator.js';

/** Tells the status of a run once. */
export async function showStatus(folder: string, { output }: Context): Promise<number> {
  const status = (await RunOperator.once(folder, 'status', {})) as ClusterStatus;
  output.event({ type: 'result', ...snakeKeys(status) });
  output.text(statusText(status));
  return 0;
}

/** Shows the status of a run until it ends, or Ctrl-C. A coordinator that is away is waited for. */
export async function watchStatus(folder: string, every: number, context: Context): Promise<number> {
  const { output, closed } = context;
  const stopping = new AbortController();
  const interruption = onInterrupt(output, 'no longer watching', () => stopping.abort());
  closed.addEventListener('abort', () => stopping.abort());
  const operator = await RunOperator.open(folder);
  const line = new ProgressLine(output);
  let last: ClusterStatus | undefined;
  let silentSince: number | undefined;
  try {
    while (!stopping.signal.aborted) {
      try {
        last = (await operator.ask('status', {})) as ClusterStatus;
        silentSince = undefined;
        line.end();
        output.event({ type: 'status', ...snakeKeys(last) });
        output.page(`${statusText(last)}${output.live ? '' : '\n'}`);
        if (last.phase === 'stopped') break;
      } catch (error) {
        if (!(error instanceof MeanfieldError)) throw error;
        if (!isCoordinatedHere(folder)) {
          line.end();
          output.note('The coordinator has ended.\n');
          break;
        }
        silentSince ??= performance.now();
        const silent = duration((performance.now() - silentSince) / 1000);
        line.show(`the coordinator has not answered for ${silent}; still asking. ${error.message}`);
      }
      await sleep(every, undefined, { signal: stopping.signal }).catch(() => {});
    }
    output.event({ type: 'result', ...snakeKeys(last ?? { phase: 'unknown' }) });
    return 0;
  } finally {
    line.end();
    interruption.release();
    await operator.close();
  }
}
