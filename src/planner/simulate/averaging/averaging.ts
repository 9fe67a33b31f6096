import { MeanfieldError } from '../../../base/errors.js';
import { Random } from '../../../base/random.js';
import { TimedEvents } from '../event-queue.js';
import type { Simulation, TimelineEvent, Track } from '../timeline.js';
import { averagingClosedForm } from './closed-form.js';
import { RUN, TimedCoordinator } from './coordinator.js';
import { Fleet } from './fleet.js';
import { Line } from './lines.js';
import { type Activity, TimedReplica } from './replica.js';
import { type AveragingSpec, checkAveraging } from './spec.js';

export interface AveragingSummary {
  /** Until the round after the last one could open. */
  readonly seconds: number;
  readonly rounds: { readonly committed: number; readonly aborted: number };
  /** Mean over the committed rounds: members, and those of them that contributed. */
  readonly members: number;
  readonly contributors: number;
  readonly tokens: { readonly committed: number; readonly computed: number };
  readonly tokensPerSecond: number;
  /** Committed over computed tokens: what was not left out, aborted or lost. */
  readonly goodput: number;
  /** Share of the replicas' time in the run that they trained. */
  readonly utilization: number;
  /** Seconds of all replicas. */
  readonly spent: Readonly<Record<Activity, number>>;
  readonly bytes: { readonly contributions: number; readonly results: number; readonly states: number };
  /** With equal, faultless replicas that are all there from the start; else null. */
  readonly closedForm: number | null;
}

/** More replicas than this have no track of their own. */
const MOST_TRACKS = 1000;

/**
 * Rounds of periodic averaging on a virtual clock, decided by the project's own machine of rounds: replicas of different
 * speeds and lines train, contribute, fail, join and leave. Same spec, same events.
 *
 * @throws UsageError when the spec is out of range or absurdly large; when played, MeanfieldError when the run cannot
 *   commit its rounds
 */
export function simulateAveraging(spec: AveragingSpec): Simulation<AveragingSummary> {
  checkAveraging(spec);
  const shown = Math.min(spec.replicas.length, MOST_TRACKS);
  const tracks: Track[] = [
    { process: 'coordinator', thread: 'rounds' },
    { process: 'coordinator', thread: 'merging' },
    ...Array.from({ length: shown }, (_, i) => ({ process: `replica-${i}`, thread: 'activity' })),
  ];
  return { tracks, mostEvents: (5 * shown + 3) * (spec.rounds + 2), play: () => play(spec, shown) };
}

function* play(spec: AveragingSpec, shown: number): Generator<TimelineEvent, AveragingSummary> {
  const { latency = 0, seed = 1 } = spec;
  const queue = new TimedEvents();
  const happened: TimelineEvent[] = [];
  const spent: Record<Activity, number> = { train: 0, upload: 0, download: 0, wait: 0, away: 0 };
  const bytes = { contributions: 0, results: 0, states: 0 };
  const bases = new Map<number, number>();
  const rounds = { committed: 0, aborted: 0 };
  const totals = { members: 0, contributors: 0, committed: 0, computed: 0 };
  let opened = { at: 0, members: 0 };
  let finished = false;

  const note = (replica: TimedReplica, name: string) => {
    if (replica.number < shown)
      happened.push({ type: 'instant', track: 2 + replica.number, name, category: 'membership', at: queue.now });
  };
  const lines = {
    reduce: new Line(queue, 0),
    gather: new Line(queue, 0),
    store: new Line(queue, spec.storeBandwidth ?? Number.POSITIVE_INFINITY),
  };
  const coordinator: TimedCoordinator = new TimedCoordinator(queue, spec, {
    send: (worker, incarnation, message) => {
      const replica = replicas[Number(worker.slice('replica-'.length))]!;
      queue.after(latency, () => {
        if (replica.alive && replica.incarnation === incarnation) replica.receive(message);
      });
    },
    opened: (_, members) => {
      opened = { at: queue.now, members };
      finished = rounds.committed >= spec.rounds;
    },
    merging: ({ round, base, contributions }) => {
      bases.set(round, base.round);
      totals.members += opened.members;
      totals.contributors += contributions.length;
      totals.committed += contributions.reduce((sum, { tokens }) => sum + tokens, 0);
      const end = queue.now + (spec.merge ?? 0);
      happened.push({ type: 'span', track: 1, name: `merge ${round}`, category: 'merge', start: queue.now, end });
    },
    ended: (round, how) => {
      rounds[how === 'commit' ? 'committed' : 'aborted']++;
      const name = how === 'commit' ? `round ${round}` : `round ${round} aborted`;
      happened.push({ type: 'span', track: 0, name, category: how, start: opened.at, end: queue.now });
    },
  });
  const replicas = spec.replicas.map(
    (each, i) =>
      new TimedReplica(
        {
          queue,
          spec,
          lines,
          send: (message) => queue.after(latency, () => coordinator.handle(message)),
          baseOf: (round) => bases.get(round),
          spent: ({ number }, activity, start, round) => {
            spent[activity] += queue.now - start;
            if (activity === 'wait' || activity === 'away' || number >= shown) return;
            const name = `${activity} ${round}`;
            happened.push({ type: 'span', track: 2 + number, name, category: activity, start, end: queue.now });
          },
          trained: (steps) => {
            totals.computed += steps * (spec.tokensPerStep ?? 1);
          },
          moved: (kind, count) => {
            bytes[kind] += count;
          },
        },
        i,
        each,
        new Random(seed, 'replica', i),
      ),
  );

  const fleet = new Fleet(spec, queue, replicas, {
    note,
    died: (worker, incarnation) =>
      coordinator.handle({ type: 'leave', run: RUN, worker, incarnation, reason: 'silent for too long' }),
    resized: (up, down) => {
      lines.reduce.setCapacity(down);
      lines.gather.setCapacity(up);
    },
  });
  fleet.schedule();

  const patience = 300 * (spec.rounds + 10) * (replicas.length + 10);
  for (let i = 0; !finished && queue.step(); i++) {
    yield* happened;
    happened.length = 0;
    if (i > patience) break;
  }
  if (rounds.committed < spec.rounds)
    throw new MeanfieldError(
      `After ${Math.round(queue.now)} s ${rounds.committed} of ${spec.rounds} rounds are committed and ${rounds.aborted} aborted, and no more will be: ${fleet.alive} of ${replicas.length} replicas are there, waiting for ${coordinator.waiting}. Allow a longer round, fewer members, or rarer failures.`,
    );
  for (const replica of replicas) replica.finish();
  yield* happened;
  const present = replicas.length * queue.now - spent.away;
  return {
    seconds: queue.now,
    rounds,
    members: totals.members / rounds.committed,
    contributors: totals.contributors / rounds.committed,
    tokens: { committed: totals.committed, computed: totals.computed },
    tokensPerSecond: totals.committed / queue.now,
    goodput: totals.committed / totals.computed,
    utilization: spent.train / present,
    spent,
    bytes,
    closedForm: averagingClosedForm(spec),
  };
}
