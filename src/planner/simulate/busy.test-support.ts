import type { TimelineEvent, Track } from './timeline.js';

/** Seconds that the spans of each track cover. */
export function busySeconds(tracks: readonly Track[], events: Iterable<TimelineEvent>): number[] {
  const busy = tracks.map(() => 0);
  for (const event of events) if (event.type === 'span') busy[event.track]! += event.end - event.start;
  return busy;
}
