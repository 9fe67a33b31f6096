import { describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { parseTrainOptions } from './options.js';
import { furtherRecord, newRecord, parseRecord, recordJson, resumedOptions, versionNotices } from './run-record.js';

const options = { corpus: ['a.txt'], run: 'runs/a', steps: 20, lr: 0.01, resume: false, force: true };
const record = () => parseRecord(recordJson(newRecord(parseTrainOptions(options))), 'run.json');

describe('the record of a run', () => {
  it('holds the options with their defaults, without what is of one process alone', () => {
    const { options: kept, versions } = record();
    expect(kept).toMatchObject({ corpus: ['a.txt'], steps: 20, lr: 0.01, seed: 1337, moments: 'average' });
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
    const resumed = resumedOptions({ corpus: [], run: 'runs/a', resume: true }, record());
    expect(resumed).toMatchObject({ corpus: ['a.txt'], steps: 20, lr: 0.01, resume: true });
  });

  it('takes equal ones, and a new number of checkpoints to keep', () => {
    const given = { ...options, resume: true, keep: 7, batchSize: 12, warmup: undefined as never };
    expect(resumedOptions(given, record())).toMatchObject({ keep: 7, steps: 20 });
  });

  it('refuses others and lists every difference', () => {
    const given = { corpus: ['b.txt'], run: 'runs/a', steps: 10, lr: 0.01, kvHeads: 2, evalEvery: 5, resume: true };
    const refused = () => resumedOptions(given, record());
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow('runs/a was started with other options');
    expect(refused).toThrow('`steps` was 20, now 10');
    expect(refused).toThrow('`kvHeads` was not given, now 2');
    expect(refused).toThrow('`evalEvery` was 250, now 5');
    expect(refused).not.toThrow('`lr` was');
    expect(refused).not.toThrow('b.txt');
  });

  it('takes a corpus by another path, which the content decides on', () => {
    expect(resumedOptions({ corpus: ['./a.txt'], run: 'runs/a', resume: true }, record()).corpus).toEqual(['./a.txt']);
  });

  it.each([
    [{ steps: 20 }, { steps: 21 }, true],
    [{}, { steps: 2001 }, true],
    [{}, { steps: 2000 }, false],
    [{ tokens: 100 }, { tokens: 200 }, true],
    [{ tokens: 100 }, { tokens: 99 }, false],
    [{ minutes: 1 }, { minutes: 1.5 }, true],
    [{ untilLoss: 2 }, { untilLoss: 1.5 }, true],
    [{ untilLoss: 2 }, { untilLoss: 2.5 }, true],
    [{ steps: 20 }, { minutes: 5 }, false],
    [{}, { patience: 3 }, true],
    [{ patience: 3 }, { patience: 2 }, false],
    [{}, { tokens: 1e9 }, false],
  ])('lets a run of %j go on to %j: %s', (was, is, allowed) => {
    const own = newRecord(parseTrainOptions({ corpus: ['a.txt'], ...was }));
    const resumed = () => resumedOptions({ corpus: [], run: 'runs/a', resume: true, ...is }, own);
    if (!allowed) return expect(resumed).toThrow(UsageError);
    expect(resumed()).toMatchObject(is);
    expect(furtherRecord(own, resumed()).options).toMatchObject(is);
  });

  it('gives a run between machines the schedule of its new length', () => {
    const schedule = { peak: 1, final: 0.1, warmup: 2, steps: 20 };
    const cluster = { id: 'a', options: { minWorkers: 2 } };
    const resumed = (was: object, is: object) => {
      const own = { ...newRecord(parseTrainOptions({ corpus: ['a.txt'], ...was })), chosen: { schedule, cluster } };
      const options = resumedOptions({ corpus: [], run: 'runs/a', resume: true, ...is }, own);
      return furtherRecord(own, options).chosen.schedule!.steps;
    };
    expect(resumed({ steps: 20 }, { steps: 50 })).toBe(50);
    const sizes = { batchSize: 4, context: 8 };
    expect(resumed({ tokens: 1280, ...sizes }, { tokens: 6400 })).toBe(100);
  });

  it('refuses another kind of limit as well', () => {
    expect(() => resumedOptions({ corpus: [], run: 'runs/a', resume: true, minutes: 5 }, record())).toThrow(
      'not `steps` and `minutes`',
    );
  });
});

it('tells of other versions, and of nothing where they are the same', () => {
  expect(versionNotices(record())).toEqual([]);
  const old = record();
  const notices = versionNotices({ ...old, versions: { ...old.versions, onnxruntime: '1.0.0' } });
  expect(notices).toEqual([expect.stringContaining('onnxruntime 1.0.0, now')]);
});
