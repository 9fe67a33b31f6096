import type { ClusterAudit } from '../../cluster/index.js';
import type { Context } from '../terminal/context.js';
import { grouped, loss, short } from '../terminal/format.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { RunOperator } from './operator.js';

/** Evaluating takes its time, the more so beside a round: milliseconds. */
const ANSWER_WITHIN = 600_000;

/**
 * Has the coordinator try a worker's contribution.
 *
 * @throws MeanfieldError when it cannot be tried
 */
export async function auditWorker(folder: string, worker: string, windows: number, context: Context): Promise<number> {
  const { output } = context;
  const line = new ProgressLine(output);
  line.show(`the coordinator evaluates the contribution of ${worker}`, true);
  try {
    const audit = (await RunOperator.once(folder, 'audit', { worker, windows }, ANSWER_WITHIN)) as ClusterAudit;
    line.end();
    output.event({ type: 'result', run: folder, ...audit });
    output.text(auditText(audit));
    return 0;
  } finally {
    line.end();
  }
}

/** An audit, for people. */
export function auditText(audit: ClusterAudit): string {
  const { worker, round, committed, tokens, norm, told_norm, windows } = audit;
  const told = (value: number | null) => (value === null ? 'not finite' : loss(value));
  const { base_loss: before, contribution_loss: alone, committed_loss: now } = audit;
  const change =
    before === null || alone === null ? '' : ` (${alone > before ? '+' : '−'}${loss(Math.abs(alone - before))})`;
  const state = committed ? 'committed' : 'in progress';
  return [
    `${worker}, round ${grouped(round)} (${state}), loss on ${grouped(windows)} held-out windows:`,
    `  before the round         ${told(before)}`,
    `  with this worker alone   ${told(alone)}${change}`,
    ...(committed ? [`  committed                ${told(now)}`] : []),
    `It says to have trained on ${short(tokens)} tokens. Norm ${norm.toPrecision(3)}, told as ${told_norm.toPrecision(3)}.`,
    '',
  ].join('\n');
}
