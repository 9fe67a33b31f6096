import packageJson from '../../../package.json' with { type: 'json' };
import { coverage } from '../../data/ledger/index.js';
import { waitingFor } from '../../rounds/index.js';
import type { WaitingFor } from '../events.js';
import type { ClusterStatus, WorkerLine } from '../status.js';
import { isWaiting } from './approvals.js';
import { stepOf } from './checkpoints.js';
import type { Observations } from './observations.js';
import type { RunState } from './run-state.js';

/** What the run waits for, in spans. */
export function waitingOf({ rounds }: RunState, now: number): WaitingFor | null {
  const waiting = waitingFor(rounds);
  if (waiting === null) return null;
  const { kind, since, until, afterwards } = waiting;
  return {
    kind,
    for: waiting.for,
    seconds: Math.max(0, now - since) / 1000,
    secondsLeft: until === null ? null : Math.max(0, until - now) / 1000,
    afterwards,
  };
}

/** What `cluster status` shows. */
export function statusOf(
  state: RunState,
  seen: Observations,
  figures: { readonly totalSteps: number; readonly tokensPerSecond: number; readonly seconds: number },
  now: number,
): ClusterStatus {
  const { rounds, progress, ledger, hosts, approvals } = state;
  const members = new Map(rounds.open?.members.map((member) => [member.worker, member]) ?? []);
  const workers = rounds.workers.map(({ worker, incarnation, status, lastSeen, stepsPerSecond }): WorkerLine => {
    const member = members.get(worker);
    const own = member?.incarnation === incarnation ? member : undefined;
    const { tokens, rounds: committed, sent, received, refused } = seen.of(worker);
    return {
      worker,
      host: hosts[worker] ?? worker,
      status,
      inRound: own?.status ?? null,
      steps: own?.steps ?? null,
      speed: stepsPerSecond,
      tokens,
      rounds: committed,
      bytesSent: sent,
      bytesReceived: received,
      silentSeconds: Math.max(0, now - lastSeen) / 1000,
      refused,
    };
  });
  const epoch = coverage(ledger)[0]!;
  return {
    run: rounds.run,
    version: packageJson.version,
    phase: rounds.phase,
    committed: rounds.committed,
    round: rounds.open?.round ?? null,
    step: stepOf(state),
    totalSteps: figures.totalSteps,
    tokens: progress.tokens,
    tokensPerSecond: figures.tokensPerSecond,
    trainLoss: progress.train_loss,
    valLoss: progress.val_loss,
    waiting: waitingOf(state, now),
    workers,
    asking: approvals.filter(isWaiting).map(({ id, host, address, replicas, since }) => ({
      ...{ id, host, address, replicas },
      seconds: Math.max(0, Date.now() - since) / 1000,
    })),
    evicted: rounds.evicted,
    refusals: seen.refusals,
    data: { epoch: epoch.epoch, committed: epoch.done / epoch.samples, leased: epoch.leased / epoch.samples },
    seconds: figures.seconds,
  };
}
