import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { sha256File } from '../base/hash.js';
import { loadModel } from '../hub/load-model.js';
import type { TrainOptions } from '../run/options.js';
import { startTraining } from './train.js';

vi.setConfig({ testTimeout: 120_000 });

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
const at = (name: string) => join(folder, name);
const json = async (path: string) => JSON.parse(await readFile(at(path), 'utf8'));

const SHORT = { steps: 10, evalEvery: 10, syncEvery: 5, batchSize: 4, threads: 1, warmup: 2 } as const;
const STUDENT = { layers: 1, width: 16, heads: 2, context: 16 } as const;
const train = (options: Partial<TrainOptions>) => startTraining({ ...SHORT, ...options } as TrainOptions).result;
const taught = (run: string, options: Partial<TrainOptions> = {}) =>
  train({ corpus: [at('book.txt')], teacher: at('teacher'), run: at(run), ...STUDENT, ...options });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-teacher-'));
  const book = await readFile(source, 'utf8');
  await writeFile(at('book.txt'), book.slice(0, 20_000));
  await writeFile(at('other.txt'), book.slice(20_000, 24_000));
  const larger = { model: 'llama', layers: 2, width: 32, heads: 2, context: 24, tokenizer: 'bpe', vocab: 300 } as const;
  await train({ corpus: [at('book.txt')], run: at('teacher'), ...larger, steps: 60, evalEvery: 60, lr: 1e-2 });
});
afterAll(() => rm(folder, { recursive: true }));

/** The model's weights of a run. */
const weights = (run: string) => sha256File(at(`${run}/model/model.safetensors`));

describe('a run with a teacher', () => {
  it('has its tokenizer, keeps its parameters, and tells its sizes', async () => {
    const events: unknown[] = [];
    const training = startTraining({
      ...{ ...SHORT, corpus: [at('book.txt')], teacher: at('teacher'), run: at('new') },
      ...STUDENT,
    } as TrainOptions);
    for await (const event of training) events.push(event);
    const teacher = await loadModel(at('teacher'));
    const { chosen, options } = await json('new/run.json');
    expect(chosen.teacher).toEqual({
      model: at('teacher'),
      parameters: teacher.model.layout.size,
      sha256: await sha256File(at('new/teacher.safetensors')),
      config: await json('teacher/model/config.json'),
    });
    expect(options).toMatchObject({ teacherWeight: 0.5, teacherTemperature: 1 });
    expect(events).toContainEqual(expect.objectContaining({ type: 'started', teacher: teacher.model.layout.size }));
    const kept = await SafetensorsFile.open(at('new/teacher.safetensors'));
    const views = teacher.model.layout.views(teacher.parameters);
    for (const [name, values] of Object.entries(views)) expect(await kept.readFloat32(name), name).toEqual(values);
    await kept.close();
    expect(await readFile(at('new/model/tokenizer.json'), 'utf8')).toBe(
      await readFile(at('teacher/model/tokenizer.json'), 'utf8'),
    );
    const student = await loadModel(at('new'));
    expect(student.model.architecture.name).toBe('qwen3');
    expect(student.model.dimensions).toMatchObject({ vocabulary: teacher.model.dimensions.vocabulary, width: 16 });
  });

  it('is resumed without it, to the bit', async () => {
    const whole = await taught('whole', { steps: 20 });
    await taught('parts', { steps: 20, untilLoss: 100 });
    // As one that was killed before its first checkpoint, and one before its teacher was known.
    for (const run of ['start', 'early']) await taught(run, { steps: 20, untilLoss: 100 });
    for (const run of ['start', 'early']) await rm(at(`${run}/checkpoints/000010`), { recursive: true });
    const early = await json('early/run.json');
    await writeFile(at('early/run.json'), JSON.stringify({ ...early, chosen: {} }));
    await writeFile(at('early/teacher.safetensors'), 'half of it');
    const again = await startTraining({ run: at('early'), resume: true, untilLoss: 1e-9 }).result;
    await rename(at('teacher'), at('elsewhere'));
    try {
      for (const run of ['parts', 'start']) {
        const resumed = await startTraining({ run: at(run), resume: true, untilLoss: 1e-9 }).result;
        expect([resumed.step, resumed.valLoss]).toEqual([20, whole.valLoss]);
      }
    } finally {
      await rename(at('elsewhere'), at('teacher'));
    }
    expect([again.step, again.valLoss]).toEqual([20, whole.valLoss]);
    const expected = await weights('whole');
    for (const run of ['parts', 'start', 'early']) expect(await weights(run), run).toBe(expected);
    await expect(startTraining({ run: at('parts'), resume: true, teacherWeight: 0.2 }).result).rejects.toThrow(
      '`teacherWeight` was 0.5, now 0.2',
    );
  });

  it('with several replicas has one curve for one seed, and is resumed to the bit', async () => {
    const whole = await taught('team', { steps: 20, replicas: 2 });
    await taught('team-parts', { steps: 20, replicas: 2, untilLoss: 100 });
    const resumed = await startTraining({ run: at('team-parts'), resume: true, untilLoss: 1e-9 }).result;
    expect([resumed.step, resumed.valLoss]).toEqual([20, whole.valLoss]);
    expect(await weights('team-parts')).toBe(await weights('team'));
  });

  it('goes on from a model of the same tokenizer, whole or with an adapter', async () => {
    const from = { corpus: [at('other.txt')], from: at('new'), teacher: at('teacher') };
    await train({ ...from, run: at('tuned') });
    await train({ ...from, run: at('adapted'), adapter: 'lora', rank: 2 });
    const { chosen } = await json('adapted/run.json');
    expect(chosen.frozen.parameters).toBe(chosen.parameters - (await adapterSize()));
    expect(await weights('tuned')).not.toBe(await weights('new'));
    async function adapterSize() {
      const file = await SafetensorsFile.open(at('adapted/model/adapter_model.safetensors'));
      const sizes = [...file.tensors.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
      await file.close();
      return sizes.reduce((a, b) => a + b, 0);
    }
  });

  it('learns conversations', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({
      messages: [
        { role: 'user', content: `Is ${i} even?` },
        { role: 'assistant', content: i % 2 === 0 ? 'Yes.' : 'No.' },
      ],
    }));
    await writeFile(at('chats.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    // ChatML's marks are spelled out by this tokenizer.
    const sizes = { layers: 2, width: 32, heads: 2, context: 128, tokenizer: 'bytes', steps: 20 } as const;
    await train({ corpus: [at('chats.jsonl')], objective: 'chat', run: at('talker'), ...sizes });
    const options = {
      corpus: [at('chats.jsonl')],
      objective: 'chat',
      teacher: at('talker'),
      layers: 1,
      width: 16,
    } as const;
    const done = await train({ ...options, run: at('pupil'), heads: 2, context: 128 });
    expect(done.objective).toBe('chat');
    expect((await json('pupil/run.json')).chosen.teacher.parameters).toBeGreaterThan(0);
  });

  it.each([
    [{ teacher: 'nowhere' }, 'There is no model in nowhere'],
    [{ context: 25 }, /reads at most 24 tokens, and a window of this run has 25\. Take `context: 24`/],
    [{ tokenizer: 'bytes', vocab: 300 }, /`tokenizer`, `vocab`: a student has the tokens of the model that `teacher`/],
    [
      { teacher: undefined, teacherWeight: 0.3 },
      /`teacherWeight`: how much a teacher counts\. Name one with `teacher`/,
    ],
    [{ teacherWeight: 1.5 }, /`teacherWeight` .*<=1, got 1\.5/],
    [{ teacherWeight: -0.1 }, /`teacherWeight` .*>=0, got -0\.1/],
    [{ teacherTemperature: 0 }, /`teacherTemperature` .*>0, got 0/],
    [{ model: 'bert' }, /`teacher` teaches the tokens that follow, .* this run learns masked/],
    [{ evalFile: 'x.txt', validationFraction: 0.2 }, /`evalFile` is held out .*`validationFraction` would say nothing/],
  ] as const)('refuses %j', async (options, message) => {
    await expect(taught('no', options as Partial<TrainOptions>)).rejects.toThrow(message);
    await expect(readFile(at('no/run.json'))).rejects.toThrow('ENOENT');
  });

  it('refuses a teacher of other tokens, and tokens that it does not know', async () => {
    await train({
      corpus: [at('book.txt')],
      run: at('letters'),
      ...STUDENT,
      tokenizer: 'chars',
      steps: 1,
      evalEvery: 1,
    });
    const from = { corpus: [at('other.txt')], from: at('letters'), teacher: at('teacher'), run: at('no') };
    await expect(train(from)).rejects.toThrow(/must have the student's tokens: of .*letters.*, \d+ entries and 300/);
    await expect(train({ ...from, from: at('new'), addTokens: ['<|user|>'] })).rejects.toThrow(
      /`addTokens`: the model that `teacher` names does not know them/,
    );
  });

  it('ends where the file of the teacher is not what it was', async () => {
    await taught('spoilt', { steps: 20, untilLoss: 100 });
    await copyFile(at('new/run.json'), at('spoilt/teacher.safetensors'));
    await expect(startTraining({ run: at('spoilt'), resume: true, untilLoss: 1e-9 }).result).rejects.toThrow(
      /teacher\.safetensors must hold .*its sha256 is/,
    );
  });
});
