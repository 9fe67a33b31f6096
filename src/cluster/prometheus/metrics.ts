import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ClusterStatus, CoordinatorEvent, RoundEvent } from '../index.js';

/** Seconds: a round of threads takes a fraction of one, of a large model behind a slow line minutes. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
/** Where a round's time goes; a worker's mean or the coordinator's own, see {@link RoundEvent}. */
const PHASES = ['train', 'upload', 'wait', 'reduce', 'gather', 'commit'] as const;
const WORKER_STATES = ['joined', 'syncing', 'ready'] as const;

/** The metrics of a coordinated run, as Prometheus reads them. */
export interface ClusterMetrics {
  /** Counts what the coordinator tells. */
  observe(event: CoordinatorEvent): void;
  /** The text exposition format, version 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
}

/**
 * Metrics of a run: round times by phase, bytes, utilisation, refusals, workers, loss. Totals count from the start of
 * this process, as Prometheus expects of counters.
 *
 * @param status asked at each scrape for what is so now; undefined while another coordinator leads
 */
export function createClusterMetrics(status: () => ClusterStatus | undefined): ClusterMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter({ name: `meanfield_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge({ name: `meanfield_${name}`, help, labelNames, registers });
  const histogram = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Histogram({ name: `meanfield_${name}`, help, labelNames, registers, buckets: BUCKETS });

  const rounds = counter('rounds_total', 'Rounds that ended, by outcome.', ['outcome']);
  const tokens = counter('tokens_total', 'Tokens of committed rounds.');
  const bytes = counter('worker_bytes_total', 'Bytes that workers sent and received, joins included.', ['direction']);
  const refusals = counter('refusals_total', 'Messages and contributions refused, by reason.', ['code']);
  const missed = counter('missed_contributions_total', 'Members that a committed round went without.');
  const changes = counter('member_changes_total', 'Workers that joined, became ready, left or were evicted.', [
    'change',
  ]);
  const roundTime = histogram('round_seconds', 'Time between two commits.');
  const phaseTime = histogram('round_phase_seconds', "A round's time by phase.", ['phase']);
  const utilization = gauge('compute_utilization_ratio', 'Share of the last round spent on inner steps, 0 to 1.');
  const trainLoss = gauge('train_loss', 'Training loss of the last committed round, nats per token.');
  const valLoss = gauge('validation_loss', 'Last validation loss, nats per token.');
  const leading = gauge('leading', '1 while this coordinator leads the run, 0 while it stands by.');
  const round = gauge('committed_round', 'Number of the last committed round.');
  const step = gauge('committed_steps', 'Committed inner steps per replica.');
  const workers = gauge('workers', 'Workers of the run, by status.', ['status']);
  const epoch = gauge('data_epochs', 'Epochs of the training data that are committed.');

  // A loss of 0 would be a fine one: there is none yet.
  for (const unknown of [utilization, trainLoss, valLoss]) unknown.set(Number.NaN);
  for (const outcome of ['committed', 'aborted'] as const) rounds.inc({ outcome }, 0);
  for (const direction of ['sent', 'received'] as const) bytes.inc({ direction }, 0);

  const onRound = (event: RoundEvent) => {
    rounds.inc({ outcome: 'committed' });
    tokens.inc(event.tokens);
    bytes.inc({ direction: 'sent' }, event.bytes.sent);
    bytes.inc({ direction: 'received' }, event.bytes.received);
    missed.inc(event.missed.length);
    roundTime.observe(event.seconds.round);
    for (const phase of PHASES) phaseTime.observe({ phase }, event.seconds[phase]);
    utilization.set(event.utilization);
    trainLoss.set(event.loss ?? Number.NaN);
  };

  const refresh = (now: ClusterStatus | undefined) => {
    leading.set(now === undefined ? 0 : 1);
    for (const state of WORKER_STATES)
      workers.set({ status: state }, now?.workers.filter((worker) => worker.status === state).length ?? 0);
    if (now === undefined) return;
    round.set(now.committed.round);
    step.set(now.step);
    epoch.set(now.data.epoch + now.data.committed);
  };

  return {
    contentType: registry.contentType,
    observe: (event) => {
      if (event.type === 'round') onRound(event);
      else if (event.type === 'aborted') rounds.inc({ outcome: 'aborted' });
      else if (event.type === 'refused') refusals.inc({ code: event.code });
      else if (event.type === 'member') changes.inc({ change: event.change });
      else if (event.type === 'evaluation') valLoss.set(event.valLoss);
    },
    text: async () => {
      refresh(status());
      return registry.metrics();
    },
  };
}
