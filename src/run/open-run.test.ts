import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { OpenRun } from './open-run.js';
import type { TrainOptions } from './options.js';

let folder: string;
let run: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-open-'));
  run = join(folder, 'run');
});
afterEach(() => rm(folder, { recursive: true }));

const options = (changes: Partial<TrainOptions> = {}): TrainOptions => ({
  corpus: ['a.txt'],
  run,
  steps: 9,
  ...changes,
});

describe('a new run', () => {
  it('is written down before anything else, then what is chosen', async () => {
    const open = await OpenRun.open(options());
    const content = async () => JSON.parse(await readFile(join(run, 'run.json'), 'utf8'));
    expect((await content()).options).toMatchObject({ corpus: ['a.txt'], steps: 9 });
    await open.choose({ replicas: 2 });
    await open.choose({ threads: 1 });
    expect((await content()).chosen).toEqual({ replicas: 2, threads: 1 });
    expect(open.resumed).toBe(false);
    await open.release();
    expect(await readdir(run)).toEqual(['run.json']);
  });

  it('leaves nothing when it ends before it has begun, and else what can be resumed', async () => {
    await (await OpenRun.open(options())).end();
    expect(existsSync(run)).toBe(false);
    const open = await OpenRun.open(options());
    open.begin();
    await open.end();
    const resumed = await OpenRun.open({ corpus: [], run, resume: true });
    expect([open.begun, resumed.begun]).toEqual([true, true]);
    await resumed.end();
    expect(existsSync(run)).toBe(true);
  });

  it.each([
    ['an unknown preset', { preset: 'huge' as 'base' }, '`preset`'],
    ['a width that the heads do not divide', { width: 100, heads: 3 }, 'not divisible'],
    ['too many replicas', { replicas: 100_000 }, '`replicas` must be at most'],
    ['averaged moments in few bits', { replicas: 2, momentsPrecision: 'bf16' as const }, "`moments: 'keep'`"],
    ['stages of ZeRO that there are not', { zero: 4 }, 'zero'],
    ['parameters shared out by Muon', { zero: 3, optimizer: 'muon' as const }, '`optimizer` (it has AdamW alone'],
    ['gradients shared out with dropout', { zero: 2, dropout: 0.1 }, '`dropout` (it drops nothing)'],
    ['parameters shared out, of any number', { zero: 3, replicas: 'auto' as const }, '`replicas` (what each has'],
    ['parameters shared out and frozen', { zero: 3, freeze: ['*'] }, '`freeze` (all parameters are trained)'],
    ['gradients shared out and few bits', { zero: 2, momentsPrecision: 'bf16' as const }, 'it keeps moments in fp32'],
    ['parameters shared out in 8 bits', { zero: 3, precision: 'int8' as const }, '`precision` (it computes in fp32)'],
    ['parameters shared out and on disk', { zero: 3, offload: 'all' as const }, '`zero` (it is of one replica)'],
    ['parameters shared out without a joint step', { zero: 3, syncEvery: 5 }, '`syncEvery: 5` has each make'],
    ['moments shared out without a joint step', { replicas: 2, zero: 1, syncEvery: 5 }, '`syncEvery: 5` has each make'],
    ['moments shared out and in blocks', { zero: 1, momentsPrecision: 'int8' as const }, 'in blocks, which other cuts'],
    ['moments shared out and on disk', { zero: 1, offload: 'moments' as const }, '`zero` (it is of one replica)'],
    ['two limits', { tokens: 5 }, '`steps` and `tokens`'],
  ])('refuses %s and makes no folder', async (_name, changes, message) => {
    const refused = OpenRun.open(options(changes));
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    expect(existsSync(run)).toBe(false);
  });

  it('is refused where a run is', async () => {
    await (await OpenRun.open(options())).release();
    await expect(OpenRun.open(options())).rejects.toThrow('`resume: true`');
  });
});

describe('a resumed run', () => {
  it('keeps what was chosen and takes the rest from run.json', async () => {
    const first = await OpenRun.open(options());
    await first.choose({ replicas: 3 });
    await first.release();
    const second = await OpenRun.open({ corpus: [], run, resume: true });
    expect(second.resumed).toBe(true);
    expect(second.chosen).toEqual({ replicas: 3 });
    expect(second.options.steps).toBe(9);
    await second.release();
  });

  it('needs a name and a run there', async () => {
    await expect(OpenRun.open({ corpus: [], resume: true })).rejects.toThrow('`run`');
    await expect(OpenRun.open({ corpus: [], run, resume: true })).rejects.toThrow('no run to resume');
  });

  it('gives the folder back when its options differ or run.json is damaged', async () => {
    await (await OpenRun.open(options())).release();
    await expect(OpenRun.open(options({ steps: 8, resume: true }))).rejects.toThrow('`steps` was 9, now 8');
    await (await OpenRun.open({ corpus: [], run, resume: true })).release();
    await writeFile(join(run, 'run.json'), '{"format": "other"}');
    await expect(OpenRun.open({ corpus: [], run, resume: true })).rejects.toThrow('not the record of a run');
    expect(await readdir(run)).toEqual(['run.json']);
  });

  it('is refused while another holds it', async () => {
    const open = await OpenRun.open(options());
    await expect(OpenRun.open({ corpus: [], run, resume: true })).rejects.toThrow(`process ${process.pid}`);
    await open.release();
  });
});
