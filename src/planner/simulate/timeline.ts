import { UsageError } from '../../base/errors.js';

/** A line of the timeline: one thing that does one thing at a time. */
export interface Track {
  /** The device, worker or coordinator. */
  readonly process: string;
  /** What of it: `compute`, `network`. */
  readonly thread: string;
}

/** What happened; times in seconds since the start, tracks by their number. */
export type TimelineEvent =
  | {
      readonly type: 'span';
      readonly track: number;
      readonly name: string;
      /** What kind of work, for colours and filters. */
      readonly category: string;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly type: 'instant';
      readonly track: number;
      readonly name: string;
      readonly category: string;
      readonly at: number;
    }
  /** An arrow from within one span to the start of another. */
  | {
      readonly type: 'flow';
      readonly name: string;
      readonly from: { readonly track: number; readonly at: number };
      readonly to: { readonly track: number; readonly at: number };
    };

/** Something to be simulated; each `play` simulates it anew, with the same events. */
export interface Simulation<Summary> {
  readonly tracks: readonly Track[];
  /** So many events will come at most, unless failures make more. */
  readonly mostEvents: number;
  /** Gives the events as they happen, then the summary. */
  play(): Generator<TimelineEvent, Summary>;
}

/** A simulation that has been played. */
export interface Recording<Summary> {
  readonly tracks: readonly Track[];
  readonly events: readonly TimelineEvent[];
  readonly summary: Summary;
}

/** More events than this do not belong into memory. */
const MOST_RECORDED = 2_000_000;

/**
 * Plays a simulation and keeps its events.
 *
 * @throws UsageError when there would be too many to keep; write them as they come instead
 */
export function record<Summary>(simulation: Simulation<Summary>): Recording<Summary> {
  if (simulation.mostEvents > MOST_RECORDED) throw tooMany(`may give ${simulation.mostEvents}`);
  const events: TimelineEvent[] = [];
  const summary = finish(simulation, (event) => {
    if (events.length < MOST_RECORDED) events.push(event);
    else throw tooMany(`gives more than ${MOST_RECORDED}`);
  });
  return { tracks: simulation.tracks, events, summary };
}

function tooMany(count: string): UsageError {
  return new UsageError(
    `The simulation ${count} events; at most ${MOST_RECORDED} are kept in memory. Write its trace to a file, or simulate fewer micro-batches, devices or rounds.`,
  );
}

/** Plays a simulation to its end and gives its summary. */
export function finish<Summary>(
  simulation: Simulation<Summary>,
  see: (event: TimelineEvent) => void = () => {},
): Summary {
  const play = simulation.play();
  for (;;) {
    const next = play.next();
    if (next.done) return next.value;
    see(next.value);
  }
}
