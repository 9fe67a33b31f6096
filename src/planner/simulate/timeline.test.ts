import { describe, expect, it } from 'vitest';
import { busySeconds } from './busy.test-support.js';
import { finish, record, type Simulation } from './timeline.js';

const simulation: Simulation<string> = {
  tracks: [
    { process: 'a', thread: 'compute' },
    { process: 'b', thread: 'compute' },
  ],
  mostEvents: 3,
  *play() {
    yield { type: 'span', track: 0, name: 'x', category: 'c', start: 0, end: 2 };
    yield { type: 'span', track: 0, name: 'y', category: 'c', start: 3, end: 3.5 };
    yield { type: 'instant', track: 1, name: 'z', category: 'c', at: 1 };
    return 'done';
  },
};

describe('record', () => {
  it('keeps the events and the summary', () => {
    const { events, summary, tracks } = record(simulation);
    expect(events.map((event) => event.name)).toEqual(['x', 'y', 'z']);
    expect(summary).toBe('done');
    expect(busySeconds(tracks, events)).toEqual([2.5, 0]);
  });

  it('refuses to keep too many', () => {
    expect(() => record({ ...simulation, mostEvents: 2_000_001 })).toThrow('may give 2000001 events; at most 2000000');
  });
});

describe('finish', () => {
  it('shows each event and gives the summary', () => {
    const seen: string[] = [];
    expect(finish(simulation, ({ name }) => seen.push(name))).toBe('done');
    expect(seen).toEqual(['x', 'y', 'z']);
    expect(finish(simulation)).toBe('done');
  });
});
