import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chromeTrace, writeTrace } from './chrome-trace.js';
import { record, type Simulation } from './timeline.js';

const simulation: Simulation<number> = {
  tracks: [
    { process: 'stage 0', thread: 'compute' },
    { process: 'stage 0', thread: 'network' },
    { process: 'stage 1 "quoted"\n', thread: 'compute' },
  ],
  mostEvents: 4,
  *play() {
    yield { type: 'span', track: 0, name: 'forward 0', category: 'forward', start: 0, end: 1e-3 };
    yield { type: 'flow', name: 'activations', from: { track: 0, at: 1e-3 }, to: { track: 2, at: 1.5e-3 } };
    yield { type: 'span', track: 2, name: 'forward 0', category: 'forward', start: 1.5e-3, end: 2.5e-3 + 1e-10 };
    yield { type: 'instant', track: 2, name: 'end', category: 'mark', at: 2.5e-3 };
    return 7;
  },
};

interface TraceFile {
  readonly displayTimeUnit: string;
  readonly traceEvents: readonly Readonly<Record<string, unknown>>[];
}

describe('chromeTrace', () => {
  it('names processes and threads, and has times in microseconds', () => {
    const { displayTimeUnit, traceEvents } = JSON.parse(chromeTrace(record(simulation))) as TraceFile;
    expect(displayTimeUnit).toBe('ms');
    expect(traceEvents.filter(({ ph }) => ph === 'M')).toEqual([
      { ph: 'M', name: 'process_name', pid: 1, args: { name: 'stage 0' } },
      { ph: 'M', name: 'process_sort_index', pid: 1, args: { sort_index: 1 } },
      { ph: 'M', name: 'thread_name', pid: 1, tid: 1, args: { name: 'compute' } },
      { ph: 'M', name: 'thread_sort_index', pid: 1, tid: 1, args: { sort_index: 1 } },
      { ph: 'M', name: 'thread_name', pid: 1, tid: 2, args: { name: 'network' } },
      { ph: 'M', name: 'thread_sort_index', pid: 1, tid: 2, args: { sort_index: 2 } },
      { ph: 'M', name: 'process_name', pid: 2, args: { name: 'stage 1 "quoted"\n' } },
      { ph: 'M', name: 'process_sort_index', pid: 2, args: { sort_index: 2 } },
      { ph: 'M', name: 'thread_name', pid: 2, tid: 3, args: { name: 'compute' } },
      { ph: 'M', name: 'thread_sort_index', pid: 2, tid: 3, args: { sort_index: 3 } },
    ]);
    expect(traceEvents.filter(({ ph }) => ph !== 'M')).toEqual([
      { ph: 'X', name: 'forward 0', cat: 'forward', pid: 1, tid: 1, ts: 0, dur: 1000 },
      { ph: 's', id: 1, name: 'activations', cat: 'flow', pid: 1, tid: 1, ts: 999.999 },
      { ph: 'f', id: 1, name: 'activations', cat: 'flow', bp: 'e', pid: 2, tid: 3, ts: 1500.001 },
      { ph: 'X', name: 'forward 0', cat: 'forward', pid: 2, tid: 3, ts: 1500, dur: 1000 },
      { ph: 'i', s: 't', name: 'end', cat: 'mark', pid: 2, tid: 3, ts: 2500 },
    ]);
  });

  it('is a whole file without any event', () => {
    expect(JSON.parse(chromeTrace({ tracks: [], events: [] }))).toEqual({ displayTimeUnit: 'ms', traceEvents: [] });
  });
});

describe('writeTrace', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trace-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('writes the same text, and gives the summary', async () => {
    const path = join(folder, 'trace.json');
    expect(await writeTrace(path, simulation)).toBe(7);
    expect(await readFile(path, 'utf8')).toBe(chromeTrace(record(simulation)));
  });

  it('writes a long trace in pieces', async () => {
    const path = join(folder, 'trace.json');
    const long: Simulation<null> = {
      tracks: simulation.tracks,
      mostEvents: 20_000,
      *play() {
        for (let i = 0; i < 20_000; i++)
          yield { type: 'span', track: 0, name: 's', category: 'c', start: i, end: i + 1 };
        return null;
      },
    };
    await writeTrace(path, long);
    const { traceEvents } = JSON.parse(await readFile(path, 'utf8')) as TraceFile;
    const spans = traceEvents.filter(({ ph }) => ph === 'X');
    expect(spans).toHaveLength(20_000);
    expect(spans[19_999]!.ts).toBe(19_999e6);
  });

  it('refuses absurd sizes, and leaves no file of a simulation that fails', async () => {
    const path = join(folder, 'trace.json');
    await expect(writeTrace(path, { ...simulation, mostEvents: 1e9 })).rejects.toThrow(
      'may hold 1000000000 events; viewers open at most about 12000000',
    );
    await expect(writeTrace(path, { ...simulation, mostEvents: Number.NaN })).rejects.toThrow('may hold NaN events');
    const broken: Simulation<null> = {
      ...simulation,
      // biome-ignore lint/correctness/useYield: it fails before the first event
      *play() {
        throw new Error('broken');
      },
    };
    await expect(writeTrace(path, broken)).rejects.toThrow('broken');
    expect(await readdir(folder)).toEqual([]);
  });
});
