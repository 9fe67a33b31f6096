import type { ClusterStatus, WorkerLine } from '../../cluster/index.js';
import { duration, grouped, loss, short, table } from '../terminal/format.js';
import { waitingText } from './cluster-progress.js';

const HEAD = ['worker', 'host', 'state', 'steps', 'steps/s', 'tokens', 'rounds', 'sent', 'received', 'heard of', ''];
const NUMBERS = [3, 4, 5, 6, 7, 8, 9];
const REFUSALS = 5;

/** The status of a run, for a person. */
export function statusText(status: ClusterStatus): string {
  const { round, committed, data } = status;
  const lines = [
    `${status.run}: ${status.phase}${round === null ? '' : `, round ${grouped(round)}`}; committed: round ` +
      `${grouped(committed.round)} (${committed.hash.slice(0, 12)})`,
    `step ${grouped(status.step)}/${grouped(status.totalSteps)}, ${short(status.tokens)} tokens, ` +
      `${short(status.tokensPerSecond)} tokens/s, loss ${loss(status.trainLoss)}, val ${loss(status.valLoss)}, ` +
      `${duration(status.seconds)}`,
    `epoch ${data.epoch}: ${percent(data.committed)} committed, ${percent(data.leased)} being trained on`,
    ...(status.waiting ? [waitingText(status.waiting)] : []),
    '',
    status.workers.length === 0
      ? 'No worker takes part yet.\n'
      : table([HEAD, ...status.workers.map(workerRow)], NUMBERS),
  ];
  if (status.asking.length > 0) lines.push('wait for approval (meanfield cluster approve RUN ID, or refuse):');
  for (const { id, host, address, replicas, seconds } of status.asking) {
    const what = `${host}${address === null ? '' : ` at ${address}`}, ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`;
    lines.push(`  ${id}  ${what}, since ${duration(seconds)}`);
  }
  if (status.evicted.length > 0) lines.push(`evicted: ${status.evicted.join(', ')}`);
  if (status.refusals.length > 0) lines.push('refused:');
  for (const { worker, about, reason, secondsAgo } of status.refusals.slice(0, REFUSALS)) {
    lines.push(`  ${duration(secondsAgo)} ago, ${worker}: ${about}: ${reason}`);
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function workerRow(line: WorkerLine): string[] {
  return [
    line.worker,
    line.host,
    line.inRound ?? line.status,
    line.steps === null ? '-' : grouped(line.steps),
    line.speed === null ? '-' : line.speed.toPrecision(3),
    short(line.tokens),
    grouped(line.rounds),
    size(line.bytesSent),
    size(line.bytesReceived),
    `${duration(line.silentSeconds)} ago`,
    line.refused === null ? '' : `refused: ${line.refused}`,
  ];
}

function size(bytes: number): string {
  return `${short(bytes)}B`;
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
