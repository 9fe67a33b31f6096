import { UsageError } from '../../../base/errors.js';
import { Random } from '../../../base/random.js';
import { demandsOf, isNotNegative, isPositive } from '../demand.js';
import { TimedEvents } from '../event-queue.js';
import type { Simulation, TimelineEvent, Track } from '../timeline.js';
import { checkShape, type Pass, passesOf, type ScheduleShape } from './schedule.js';

/** A pipeline of devices and what its passes take, in seconds. */
export interface PipelineSpec extends ScheduleShape {
  /** A micro-batch's pass through one chunk, forward; the backward one includes recomputation. */
  readonly forward: number;
  readonly backward: number;
  /** From the end of a pass on one device until its result is on the next; a link carries one at a time. 0 */
  readonly transfer?: number;
  /** After a device's last pass: gradient exchange, optimiser. 0 */
  readonly afterwards?: number;
  /** How much slower each device is than the above, 1 where not given: layers that do not divide, a hot card. */
  readonly slowness?: readonly number[];
  /** Standard deviation of a pass's log time. 0 */
  readonly jitter?: number;
  readonly seed?: number;
}

export interface PipelineSummary {
  readonly seconds: number;
  /** By device. */
  readonly stages: readonly {
    readonly forward: number;
    readonly backward: number;
    readonly afterwards: number;
    readonly idle: number;
    /** The most passes of any chunk whose activations it held at once. */
    readonly mostHeld: number;
  }[];
  /** Idle time over working time, all devices; (p − 1)/m for 1F1B, (p − 1)/(v·m) interleaved. */
  readonly bubble: number;
  /** Seconds by the closed form (arXiv 2104.04473, section 2.2); `null` where it does not apply. */
  readonly closedForm: number | null;
}

/** More passes than anyone looks at. */
const MOST_PASSES = 4_000_000;

/**
 * A step of a pipeline on a virtual clock: every device does its passes in the schedule's order, each once its input has
 * arrived. Same spec, same events.
 *
 * @throws UsageError when the spec is out of range or absurdly large
 */
export function simulatePipeline(spec: PipelineSpec): Simulation<PipelineSummary> {
  checkShape(spec);
  checkSpec(spec);
  const { stages: p, chunks: v, microBatches: m } = spec;
  const passes = 2 * p * v * m;
  if (!(passes <= MOST_PASSES))
    throw new UsageError(
      `This pipeline makes ${passes} passes a step; at most ${MOST_PASSES} are simulated. Take fewer micro-batches: the share of the bubble follows from the closed form.`,
    );
  const tracks: Track[] = Array.from({ length: p }, (_, stage) => ({ process: `stage ${stage}`, thread: 'compute' }));
  const orders = Array.from({ length: p }, (_, stage) => passesOf(spec, stage));
  // Of each pass a span and an arrow to the next.
  return { tracks, mostEvents: 2 * passes + p, play: () => play(spec, orders) };
}

/** (m·v + p − 1)·(f + b): what the step takes with equal stages, no time between them and none afterwards. */
function pipelineClosedForm(spec: PipelineSpec): number | null {
  const { stages: p, chunks: v, microBatches: m, forward, backward, transfer = 0, afterwards = 0 } = spec;
  const even = !spec.jitter && (spec.slowness ?? []).every((factor) => factor === 1);
  if (!even || transfer > 0) return null;
  return (m * v + p - 1) * (forward + backward) + afterwards;
}

function* play(spec: PipelineSpec, orders: readonly Pass[][]): Generator<TimelineEvent, PipelineSummary> {
  const { stages: p, chunks: v, forward, backward, transfer = 0, afterwards = 0, jitter = 0, seed = 1 } = spec;
  const queue = new TimedEvents();
  const random = new Random(seed, 'pipeline');
  const stages = orders.map((order) => ({
    order,
    next: 0,
    busy: false,
    /** When the link to each neighbour is free again. */
    linkFree: { forward: 0, backward: 0 },
    /** Passes whose input is here, and where it came from. */
    arrived: new Map<number, { readonly track: number; readonly at: number } | null>(),
    used: { forward: 0, backward: 0, afterwards: 0 },
    held: 0,
    mostHeld: 0,
    end: 0,
  }));
  const happened: TimelineEvent[] = [];
  const key = ({ kind, microBatch, chunk }: Pass) => (microBatch * v + chunk) * 2 + (kind === 'forward' ? 0 : 1);

  /** Where a pass's result goes: to the neighbour, or round to the next chunk of the first or last device. */
  const target = (stage: number, { kind, microBatch, chunk }: Pass): { stage: number; pass: Pass } | null => {
    if (kind === 'forward') {
      if (stage < p - 1) return { stage: stage + 1, pass: { kind, microBatch, chunk } };
      if (chunk < v - 1) return { stage: 0, pass: { kind, microBatch, chunk: chunk + 1 } };
      return { stage, pass: { kind: 'backward', microBatch, chunk } };
    }
    if (stage > 0) return { stage: stage - 1, pass: { kind, microBatch, chunk } };
    return chunk > 0 ? { stage: p - 1, pass: { kind, microBatch, chunk: chunk - 1 } } : null;
  };

  const begin = (at: number): void => {
    const stage = stages[at]!;
    const pass = stage.order[stage.next];
    if (stage.busy || pass === undefined || !stage.arrived.has(key(pass))) return;
    const from = stage.arrived.get(key(pass))!;
    stage.arrived.delete(key(pass));
    stage.busy = true;
    stage.next++;
    if (from) {
      const name = pass.kind === 'forward' ? 'activations' : 'gradients';
      happened.push({ type: 'flow', name, from, to: { track: at, at: queue.now } });
    }
    if (pass.kind === 'forward') stage.mostHeld = Math.max(stage.mostHeld, ++stage.held);
    const usual = (pass.kind === 'forward' ? forward : backward) * (spec.slowness?.[at] ?? 1);
    const start = queue.now;
    queue.after(jitter > 0 ? usual * Math.exp(jitter * random.normal()) : usual, () => {
      stage.busy = false;
      stage.used[pass.kind] += queue.now - start;
      if (pass.kind === 'backward') stage.held--;
      stage.end = queue.now;
      const name = `${pass.kind} ${pass.microBatch}${v > 1 ? `.${pass.chunk}` : ''}`;
      happened.push({ type: 'span', track: at, name, category: pass.kind, start, end: queue.now });
      deliver(at, pass);
      if (stage.next === stage.order.length) finishStage(at);
      begin(at);
    });
  };

  const deliver = (from: number, pass: Pass): void => {
    const to = target(from, pass);
    if (!to) return;
    if (to.stage === from) {
      stages[from]!.arrived.set(key(to.pass), null);
      return;
    }
    const link = stages[from]!.linkFree;
    const sent = { track: from, at: queue.now };
    link[pass.kind] = Math.max(queue.now, link[pass.kind]) + transfer;
    queue.at(link[pass.kind], () => {
      stages[to.stage]!.arrived.set(key(to.pass), sent);
      begin(to.stage);
    });
  };

  const finishStage = (at: number): void => {
    const stage = stages[at]!;
    if (afterwards === 0) return;
    const start = queue.now;
    stage.end = start + afterwards;
    stage.used.afterwards = afterwards;
    happened.push({
      type: 'span',
      track: at,
      name: 'exchange and optimizer',
      category: 'afterwards',
      start,
      end: stage.end,
    });
  };

  for (let microBatch = 0; microBatch < spec.microBatches; microBatch++)
    stages[0]!.arrived.set(key({ kind: 'forward', microBatch, chunk: 0 }), null);
  begin(0);
  do {
    yield* happened;
    happened.length = 0;
  } while (queue.step());
  if (stages.some(({ next, order }) => next < order.length)) throw new Error('the pipeline came to a standstill');

  const seconds = stages.reduce((end, stage) => Math.max(end, stage.end), 0);
  const uses = stages.map(({ used, mostHeld }) => ({
    ...used,
    idle: seconds - used.forward - used.backward - used.afterwards,
    mostHeld,
  }));
  const idle = uses.reduce((sum, use) => sum + use.idle, 0);
  const working = uses.reduce((sum, use) => sum + use.forward + use.backward, 0);
  return { seconds, stages: uses, bubble: idle / working, closedForm: pipelineClosedForm(spec) };
}

function checkSpec(spec: PipelineSpec): void {
  const demand = demandsOf('A pipeline');
  const { forward, backward, transfer = 0, afterwards = 0, jitter = 0, slowness = [] } = spec;
  for (const [name, value] of Object.entries({ forward, backward }))
    demand(`${name} pass`, isPositive(value), 'seconds above 0', value);
  for (const [name, value] of Object.entries({ transfer, 'time afterwards': afterwards }))
    demand(name, isNotNegative(value), 'seconds from 0', value);
  demand('jitter', jitter >= 0 && jitter <= 3, 'from 0 to 3', jitter);
  for (const factor of slowness) demand('slowness', isPositive(factor), 'above 0', factor);
}
