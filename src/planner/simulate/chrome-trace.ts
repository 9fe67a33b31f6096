import { UsageError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import type { Recording, Simulation, TimelineEvent, Track } from './timeline.js';

/** About 150 bytes each: Perfetto in a browser opens traces up to about 2 GB. */
const MOST_WRITTEN = 12_000_000;

/** Characters gathered before they go to the file. */
const CHUNK = 1 << 16;

/**
 * A recording in Chrome's trace event format (JSON object form), which Perfetto (ui.perfetto.dev) and chrome://tracing
 * open: processes are devices, threads their tracks, times microseconds with three decimals.
 */
export function chromeTrace({ tracks, events }: Omit<Recording<unknown>, 'summary'>): string {
  return [...traceText(tracks, events)].join('');
}

/**
 * Plays a simulation into a trace file, piece by piece; see {@link chromeTrace}.
 *
 * @returns the simulation's summary
 * @throws UsageError when the file would be too large for any viewer
 */
export async function writeTrace<Summary>(path: string, simulation: Simulation<Summary>): Promise<Summary> {
  const { mostEvents, tracks } = simulation;
  if (!(mostEvents <= MOST_WRITTEN)) throw tooMany(`may hold ${mostEvents}`);
  const result: { summary?: Summary } = {};
  function* events(): Generator<TimelineEvent> {
    const play = simulation.play();
    for (let count = 0; ; count++) {
      const next = play.next();
      if (next.done) {
        result.summary = next.value;
        return;
      }
      if (count >= MOST_WRITTEN) throw tooMany(`holds more than ${MOST_WRITTEN}`);
      yield next.value;
    }
  }
  await writeFileAtomic(path, bytesOf(traceText(tracks, events())));
  return result.summary!;
}

function tooMany(count: string): UsageError {
  return new UsageError(
    `The trace ${count} events; viewers open at most about ${MOST_WRITTEN}. Simulate fewer micro-batches, devices, layers or rounds.`,
  );
}

function* bytesOf(texts: Iterable<string>): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const text of texts) yield encoder.encode(text);
}

function* traceText(tracks: readonly Track[], events: Iterable<TimelineEvent>): Generator<string> {
  const places = placesOf(tracks);
  let text = '{"displayTimeUnit":"ms","traceEvents":[\n';
  let separator = '';
  const add = (event: object) => {
    text += separator + JSON.stringify(event);
    separator = ',\n';
  };
  for (const { pid, tid, track, first } of places) {
    if (first) {
      add({ ph: 'M', name: 'process_name', pid, args: { name: track.process } });
      add({ ph: 'M', name: 'process_sort_index', pid, args: { sort_index: pid } });
    }
    add({ ph: 'M', name: 'thread_name', pid, tid, args: { name: track.thread } });
    add({ ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: tid } });
  }
  let flows = 0;
  for (const event of events) {
    if (event.type === 'flow') {
      const id = ++flows;
      const { name, from, to } = event;
      // Viewers tie an arrow's ends to the slices that are open at their times: a nanosecond before the one's end, and
      // after the other's start.
      const start = { ...placeOf(places, from.track), ts: Math.max(0, microseconds(from.at, -1)) };
      add({ ph: 's', id, name, cat: 'flow', ...start });
      add({ ph: 'f', id, name, cat: 'flow', bp: 'e', ...placeOf(places, to.track), ts: microseconds(to.at, 1) });
    } else if (event.type === 'instant') {
      const { name, category: cat, track, at } = event;
      add({ ph: 'i', s: 't', name, cat, ...placeOf(places, track), ts: microseconds(at) });
    } else {
      const { name, category: cat, track, start, end } = event;
      const ts = microseconds(start);
      // From the rounded ends, so that neighbours neither overlap nor leave a gap.
      const dur = Math.round((microseconds(end) - ts) * 1000) / 1000;
      add({ ph: 'X', name, cat, ...placeOf(places, track), ts, dur });
    }
    if (text.length > CHUNK) {
      yield text;
      text = '';
    }
  }
  yield `${text}\n]}\n`;
}

interface Place {
  readonly pid: number;
  readonly tid: number;
  readonly track: Track;
  /** Whether it is the first of its process. */
  readonly first: boolean;
}

function placesOf(tracks: readonly Track[]): Place[] {
  const pids = new Map<string, number>();
  return tracks.map((track, i) => {
    const known = pids.get(track.process);
    const pid = known ?? pids.size + 1;
    pids.set(track.process, pid);
    return { pid, tid: i + 1, track, first: known === undefined };
  });
}

function placeOf(places: readonly Place[], track: number): { pid: number; tid: number } {
  const { pid, tid } = places[track]!;
  return { pid, tid };
}

/** Rounded to nanoseconds, and moved by some. */
function microseconds(seconds: number, nanoseconds = 0): number {
  return (Math.round(seconds * 1e9) + nanoseconds) / 1000;
}
