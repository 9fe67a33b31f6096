import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { load } from '../src/inference/load.js';
import type { TrainOptions } from '../src/run/options.js';
import { jsonLines, meanfield } from './command.js';
import { Trainer } from './trainer.js';

vi.setConfig({ testTimeout: 120_000 });

/** What the model decides is not given, and JSON leaves out what is undefined. */
const further = (changes: Partial<TrainOptions>) =>
  ({
    ...{ tokenizer: undefined, layers: undefined, width: undefined, heads: undefined, context: undefined },
    from: trainer.path('base'),
    corpus: [trainer.path('other.txt')],
    ...changes,
  }) as Partial<TrainOptions>;

let trainer: Trainer;
let other: string;
beforeAll(async () => {
  trainer = await Trainer.create();
  other = trainer.path('other.txt');
  const text = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
  await writeFile(other, text.slice(-20_000));
  const { error } = await trainer.train('base', {
    model: 'gpt2',
    tokenizer: 'bytes',
    steps: 60,
    evalEvery: 60,
    lr: 1e-2,
  });
  expect(error).toBeUndefined();
}, 120_000);
afterAll(() => trainer.remove());

const json = async (...path: string[]) => JSON.parse(await readFile(join(trainer.folder, ...path), 'utf8'));
async function lossOf(run: string): Promise<number> {
  const model = await load(trainer.path(run), { threads: 1 });
  const { loss } = await model.evaluate([other]);
  await model.close();
  return loss;
}
async function vector(...path: string[]) {
  const file = await SafetensorsFile.open(join(trainer.folder, ...path));
  const all: Record<string, Float32Array> = {};
  for (const name of file.tensors.keys()) all[name] = await file.readFloat32(name);
  await file.close();
  return all;
}

describe('an adapter', () => {
  const lora = { adapter: 'lora', rank: 4, lr: 1e-2, steps: 40, evalEvery: 20 } as const;

  it('drops some of its input where it is told, and says so in the words of PEFT', async () => {
    const dropped = await trainer.train('dropped', further({ ...lora, dropout: 0.3 }));
    expect(dropped.error).toBeUndefined();
    expect((await json('dropped', 'model', 'adapter_config.json')).lora_dropout).toBe(0.3);
    expect((await json('lora', 'model', 'adapter_config.json')).lora_dropout).toBe(0);
    expect(dropped.result!.valLoss).not.toBe(await lossOf('lora'));
    expect(await json('dropped', 'model', 'config.json')).toEqual(await json('lora', 'model', 'config.json'));
  });
  beforeAll(async () => {
    expect((await trainer.train('lora', further(lora))).error).toBeUndefined();
  }, 120_000);

  it('learns, and the model is what its base is with it, wherever the run lies', async () => {
    expect(await lossOf('lora')).toBeLessThan(await lossOf('base'));
    await cp(trainer.path('lora'), trainer.path('copied'), { recursive: true });
    expect(await lossOf('copied')).toBe(await lossOf('lora'));
    // Without the run around it, the base is the one that the settings name.
    await cp(trainer.path('lora/model'), trainer.path('alone'), { recursive: true });
    expect(await lossOf('alone')).toBe(await lossOf('lora'));
  });

  it('is all that checkpoints and the model hold', async () => {
    const { chosen } = await json('lora', 'run.json');
    const base = await vector('base', 'model', 'model.safetensors');
    expect(await vector('lora', 'frozen.safetensors')).toEqual(base);
    const checkpoint = await vector('lora', 'checkpoints', '000040', 'model.safetensors');
    expect(Object.keys(checkpoint)).toHaveLength(2 * 8);
    const sizes = Object.values(checkpoint).reduce((sum, { length }) => sum + length, 0);
    expect(chosen.parameters).toBe(chosen.frozen.parameters + sizes);
    const adapter = await vector('lora', 'model', 'adapter_model.safetensors');
    expect(Object.keys(adapter).sort()).toEqual(
      Object.keys(checkpoint)
        .map((name) => `base_model.model.${name}`)
        .sort(),
    );
    expect(await readdir(trainer.path('lora/model'))).not.toContain('model.safetensors');
    expect(await json('lora', 'model', 'adapter_config.json')).toMatchObject({
      r: 4,
      lora_alpha: 8,
      fan_in_fan_out: true,
    });
  });

  it.each(['bf16', 'int8', 'int4'] as const)(
    'learns beside a base in %s as beside one in float32, and is resumed to the bit',
    async (baseDtype) => {
      const run = (name: string, changes: Partial<TrainOptions>) =>
        trainer.train(name, further({ ...lora, baseDtype, warmup: 2, ...changes }));
      const whole = await run(baseDtype, {});
      expect(whole.error).toBeUndefined();
      const near = (await trainer.train(`float-${baseDtype}`, further({ ...lora, warmup: 2 }))).result!.valLoss;
      expect(Math.abs(whole.result!.valLoss / near - 1)).toBeLessThan(0.01);
      expect(whole.result!.valLoss).not.toBe(near);
      await run(`${baseDtype}-parts`, { untilLoss: 100 });
      const resumed = await run(`${baseDtype}-parts`, { untilLoss: 1e-9, resume: true });
      expect(resumed.error).toBeUndefined();
      expect([resumed.result!.step, resumed.result!.valLoss]).toEqual([40, whole.result!.valLoss]);
      // What is frozen lies in the run's folder as the base has it, and the model is that with the adapter.
      const base = await vector('base', 'model', 'model.safetensors');
      expect(await vector(baseDtype, 'frozen.safetensors')).toEqual(base);
      expect(Math.abs((await lossOf(baseDtype)) / (await lossOf(`float-${baseDtype}`)) - 1)).toBeLessThan(0.01);
    },
  );

  it('resumes, and can be trained further as a whole', async () => {
    const again = await trainer.train('lora', further({ ...lora, steps: 60, resume: true }));
    expect(again.result!.step).toBe(60);
    const whole = await trainer.train('after', further({ from: trainer.path('lora'), steps: 20, evalEvery: 20 }));
    expect(whole.error).toBeUndefined();
    expect(await lossOf('after')).toBeLessThan(await lossOf('base'));
  });

  it('is put beside a model that is loaded, and others in its place, and the model stays as it is', async () => {
    const other2 = { ...lora, rank: 2, seed: 5, steps: 20 };
    expect((await trainer.train('second', further(other2))).error).toBeUndefined();
    const base = await load(trainer.path('base'), { threads: 1 });
    const first = await base.withAdapter(trainer.path('lora'));
    const second = await first.withAdapter(trainer.path('second/model'));
    const found = [];
    for (const model of [second, first, base, first]) found.push((await model.evaluate([other])).loss);
    const expected = [await lossOf('second'), await lossOf('lora'), await lossOf('base'), await lossOf('lora')];
    for (const [i, loss] of expected.entries()) expect(Math.abs(found[i]! / loss - 1)).toBeLessThan(1e-5);
    const merged = await load(trainer.path('lora'), { threads: 1 });
    const write = async (model: typeof base) =>
      (await model.generate({ prompt: 'ROMEO', maxTokens: 12, temperature: 0 }).result()).text;
    expect(await write(first)).toBe(await write(merged));
    const [[mine], [theirs]] = [await first.embed(['To be']), await merged.embed(['To be'])];
    for (const [i, value] of theirs!.entries()) expect(Math.abs(mine![i]! - value)).toBeLessThan(1e-4);
    await expect(base.withAdapter(trainer.path('base'))).rejects.toThrow(/There is no adapter in .*base/);
    for (const model of [base, first, second, merged]) await model.close();
    await expect(first.withAdapter(trainer.path('second'))).rejects.toThrow('The model is closed');
  });

  it('is put beside a model on the command line, from a run or a folder, and told where its base has another name', async () => {
    const result = async (...args: string[]) => {
      const outcome = await meanfield(...args, '--json');
      expect(outcome.code, outcome.stderr).toBe(0);
      const lines = jsonLines(outcome);
      const { text, loss } = lines.at(-1)!;
      return { text, loss, notices: lines.filter(({ type }) => type === 'notice').map(({ message }) => message) };
    };
    const ofText = ['--prompt', 'ROMEO', '--max-tokens', '24', '--temperature', '1', '--seed', '3'];
    const base = await result('generate', trainer.path('base'), ...ofText);
    // The run has learned on since the folder was copied from it.
    for (const adapter of ['lora', 'alone']) {
      const merged = await result('generate', trainer.path(adapter), ...ofText);
      const beside = await result('generate', trainer.path('base'), '--adapter', trainer.path(adapter), ...ofText);
      expect(beside).toMatchObject({ text: merged.text, notices: [] });
      expect(merged.text).not.toBe(base.text);
    }
    const { loss } = await result('eval', trainer.path('base'), other, '--adapter', trainer.path('lora'));
    expect(Math.abs((loss as number) / (await lossOf('lora')) - 1)).toBeLessThan(1e-5);
    await cp(trainer.path('base/model'), trainer.path('renamed'), { recursive: true });
    const renamed = await result('eval', trainer.path('renamed'), other, '--adapter', trainer.path('lora'));
    expect(renamed.loss).toBe(loss);
    expect(renamed.notices).toEqual([
      expect.stringMatching(/The adapter in .*lora.* was trained beside .*base, and stands beside .*renamed here/),
    ]);
  });

  it('on the command line is refused where it is none, damaged, or of a model of other shapes', async () => {
    const llama = new URL('./fixtures/adapters/llama', import.meta.url).pathname;
    await cp(trainer.path('alone'), trainer.path('torn'), { recursive: true });
    const weights = trainer.path('torn/adapter_model.safetensors');
    await writeFile(weights, (await readFile(weights)).subarray(0, -40));
    for (const [adapter, message] of [
      [trainer.path('gone'), /There is no adapter in .*gone/],
      [trainer.path('base'), /There is no adapter in .*base/],
      [trainer.path('torn'), /torn\/adapter_model\.safetensors is damaged/],
      [llama, /is no adapter of this gpt2 model: .*It was trained beside tiny\/llama/],
    ] as const) {
      const outcome = await meanfield('generate', trainer.path('base'), '--adapter', adapter);
      expect(outcome.stderr).toMatch(message);
      expect([outcome.code, outcome.stdout]).toEqual([1, '']);
    }
  });

  it('answers by the chat template and ends that its own folder has', async () => {
    await cp(trainer.path('alone'), trainer.path('templated'), { recursive: true });
    await rm(trainer.path('templated/meanfield.json'));
    await writeFile(
      trainer.path('templated/chat_template.jinja'),
      "{% for message in messages %}{{ message['content'] }}:\n{% endfor %}",
    );
    const letter = 'e';
    await writeFile(
      trainer.path('templated/generation_config.json'),
      JSON.stringify({ eos_token_id: letter.charCodeAt(0) }),
    );
    const base = await load(trainer.path('base'), { threads: 1 });
    const adapted = await base.withAdapter(trainer.path('templated'));
    const plain = await base.withAdapter(trainer.path('alone'));
    const options = { maxTokens: 60, temperature: 1, seed: 3 };
    const { text, stopped } = await (await adapted.chat([{ role: 'user', content: 'ROMEO' }], options)).result();
    const whole = (await plain.generate({ ...options, prompt: 'ROMEO:\n' }).result()).text;
    expect(whole.indexOf(letter)).toBeGreaterThan(2);
    expect([text, stopped]).toEqual([whole.slice(0, whole.indexOf(letter)), 'end']);
    for (const model of [adapted, plain, base]) await model.close();
  });

  it("is found by its name in the hub's cache, and its base by the name that its settings have", async () => {
    const cache = trainer.path('hub');
    const commit = '0123456789abcdef0123456789abcdef01234567';
    const snapshot = async (name: string, from: string) => {
      const folder = join(cache, `models--some--${name}`);
      await cp(trainer.path(from), join(folder, 'snapshots', commit), { recursive: true });
      await mkdir(join(folder, 'refs'));
      await writeFile(join(folder, 'refs', 'main'), commit);
      return join(folder, 'snapshots', commit);
    };
    await snapshot('base', 'base/model');
    const adapter = await snapshot('adapter', 'lora/model');
    const settings = JSON.parse(await readFile(join(adapter, 'adapter_config.json'), 'utf8'));
    await writeFile(
      join(adapter, 'adapter_config.json'),
      JSON.stringify({ ...settings, base_model_name_or_path: 'some/base' }),
    );
    vi.stubEnv('HF_HUB_CACHE', cache);
    const model = await load('some/adapter', { threads: 1 });
    const { loss } = await model.evaluate([other]);
    await model.close();
    vi.unstubAllEnvs();
    expect(loss).toBe(await lossOf('lora'));
  });

  it('that has itself for a base, or another that has it, says so', async () => {
    const settings = await json('alone', 'adapter_config.json');
    for (const [name, base] of [
      ['own', 'own'],
      ['one', 'two'],
      ['two', 'one'],
    ] as const) {
      await cp(trainer.path('alone'), trainer.path(name), { recursive: true });
      await rm(trainer.path(`${name}/meanfield.json`));
      const text = JSON.stringify({ ...settings, base_model_name_or_path: trainer.path(base) });
      await writeFile(trainer.path(`${name}/adapter_config.json`), text);
    }
    for (const name of ['own', 'one']) await expect(load(trainer.path(name))).rejects.toThrow(/has itself for a base/);
  });

  it('without its base says so', async () => {
    await cp(trainer.path('alone'), trainer.path('orphan'), { recursive: true });
    const settings = await json('orphan', 'adapter_config.json');
    await writeFile(
      trainer.path('orphan/adapter_config.json'),
      JSON.stringify({ ...settings, base_model_name_or_path: '/gone' }),
    );
    await expect(load(trainer.path('orphan'))).rejects.toThrow(
      /was trained beside a model in \/gone, where there is nothing/,
    );
  });
});

it.each([
  [{ adapter: 'lora', from: undefined }, /`adapter: .*lora.*` is trained beside a model that exists/],
  [{ adapter: 'lora', freeze: ['*'] }, /leaves the whole model as it is: leave `freeze` out/],
  [{ baseDtype: 'int4' }, /`baseDtype: .*int4.*` is of a model that stays as it is: train beside it, with `adapter/],
  [{ adapter: 'lora', targets: ['q_proj'] }, /`targets: 'q_proj'` fits none of the model's linear layers/],
] as [Partial<TrainOptions>, RegExp][])('refuses %j', async (changes, message) => {
  const { error } = await trainer.train('none', further(changes));
  expect(error).toMatch(message);
  await expect(stat(trainer.path('none'))).rejects.toThrow('ENOENT');
});
