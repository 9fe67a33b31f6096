import { describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { parseTrainOptions } from '../training/config.js';
import { newRecord, parseRecord, recordJson, resumedOptions, versionNotices } from './run-record.js';

const options = { corpus: ['a.txt'], run: 'runs/a', steps: 20, lr: 0.01, resume: false, force: true };
const record = () => parseRecord(recordJson(newRecord(parseTrainOptions(options))), 'run.json');

describe('the record of a run', () => {
  it('holds the options with their defaults, without what is of one process alone', () => {
    const { options: kept, versions } = record();
    expect(kept).toMatchObject({ corpus: ['a.txt'], steps: 20, lr: 0.01, seed: 1337, syncEvery: 25 });
    for (const key of ['run', 'resume', 'force']) expect(kept).not.toHaveProperty(key);
    expect(versions.node).toBe(process.versions.node);
    expect(versions.onnxruntime).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it.each([
    [{}],
    [null],
    ['text'],
    [{ ...(recordJson(newRecord(parseTrainOptions(options))) as object), version: 2 } as never],
    [{ ...(recordJson(newRecord(parseTrainOptions(options))) as object), chosen: { replicas: 0 } } as never],
  ])('refuses %j', (content) => {
    expect(() => parseRecord(content, 'runs/a/run.json')).toThrow('runs/a/run.json is not the record of a run');
  });
});

describe('resumedOptions', () => {
  it("takes the run's own for what is not given", () => {
    const known = record();
    const resumed = resumedOptions({ corpus: [], run: 'runs/a', resume: true }, known);
    expect(resumed.record).toBe(known);
    expect(resumed.options).toMatchObject({ corpus: ['a.txt'], steps: 20, lr: 0.01, resume: true });
  });

  it('takes equal ones, and a new number of checkpoints to keep', () => {
    const given = { ...options, resume: true, keep: 7, batchSize: 12, warmup: undefined as never };
    expect(resumedOptions(given, record()).options).toMatchObject({ keep: 7, steps: 20 });
  });

  it('refuses others and lists every difference', () => {
    const given = { corpus: ['b.txt'], run: 'runs/a', steps: 10, lr: 0.01, kvHeads: 2, evalEvery: 5, resume: true };
    const refused = () => resumedOptions(given, record());
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow('runs/a was started with other options');
    expect(refused).toThrow('corpus was ["a.txt"], now ["b.txt"]');
    expect(refused).toThrow('--steps was 20, now 10');
    expect(refused).toThrow('--kv-heads was not given, now 2');
    expect(refused).toThrow('--eval-every was 250, now 5');
    expect(refused).not.toThrow('--lr');
  });

  it('refuses another kind of limit as well', () => {
    expect(() => resumedOptions({ corpus: [], run: 'runs/a', resume: true, minutes: 5 }, record())).toThrow(
      '--minutes',
    );
  });
});

describe('a longer run', () => {
  const schedule = { peak: 1, final: 0.1, warmup: 2, steps: 20 };
  const started = (given: object, chosen: object = { schedule, replicas: 2 }) => {
    const fresh = recordJson(newRecord(parseTrainOptions({ corpus: ['a.txt'], run: 'runs/a', ...given })));
    return parseRecord({ ...(fresh as object), chosen } as never, 'run.json');
  };
  const resume = (given: object, from: object, chosen?: object) =>
    resumedOptions({ corpus: [], run: 'runs/a', resume: true, ...given }, started(from, chosen));

  it('has the schedule of its new length, in the options and in the record', () => {
    const { options: wanted, record: longer } = resume({ steps: 50 }, { steps: 20 });
    expect(wanted.steps).toBe(50);
    expect(longer.options.steps).toBe(50);
    expect(longer.chosen.schedule).toEqual({ ...schedule, steps: 50 });
    expect(resumedOptions({ corpus: [], run: 'runs/a' }, longer).record).toBe(longer);
  });

  it('counts tokens in steps of all replicas, and minutes by their ratio', () => {
    const sizes = { batchSize: 4, context: 8 };
    const tokens = resume({ tokens: 6400 }, { tokens: 1280, ...sizes });
    expect(tokens.record.chosen.schedule!.steps).toBe(100);
    expect(resume({ minutes: 10 }, { minutes: 4 }).record.chosen.schedule!.steps).toBe(50);
  });

  it("goes on from the default's steps, and before there is a schedule", () => {
    expect(resume({ steps: 3000 }, {}, { schedule: { ...schedule, steps: 2000 } }).options.steps).toBe(3000);
    expect(resume({ steps: 3000 }, {}, {}).record.options.steps).toBe(3000);
    expect(() => resume({ steps: 1500 }, {}, {})).toThrow('--steps was not given, now 1500');
  });

  it('is of the same kind', () => {
    expect(() => resume({ minutes: 5 }, {})).toThrow('--minutes was not given, now 5');
    expect(() => resume({ steps: 15 }, { steps: 20 })).toThrow('--steps was 20, now 15');
  });

  it('may end at another loss', () => {
    const { options: wanted, record: other } = resume({ untilLoss: 1.5 }, { untilLoss: 2 });
    expect([wanted.untilLoss, other.options.untilLoss]).toEqual([1.5, 1.5]);
  });
});

it('tells of other versions, and of nothing where they are the same', () => {
  expect(versionNotices(record())).toEqual([]);
  const old = record();
  const notices = versionNotices({ ...old, versions: { ...old.versions, onnxruntime: '1.0.0' } });
  expect(notices).toEqual([expect.stringContaining('onnxruntime 1.0.0, now')]);
});
