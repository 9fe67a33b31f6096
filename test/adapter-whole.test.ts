import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { exportModel } from '../src/export/export-model.js';
import { loadModel, type MergeAdapter } from '../src/hub/load-model.js';
import { load } from '../src/inference/load.js';
import { startTraining } from '../src/local/train.js';
import { mergeAdapter } from '../src/training/merge-adapter.js';
import { workFolder } from './command.js';
import { logitsOf } from './logits.js';

vi.setConfig({ testTimeout: 120_000 });

const python = process.env.MEANFIELD_PYTHON;
const text = 'But soft, what light through yonder window breaks?';
const at = workFolder();
const merge: MergeAdapter = (...adapted) => mergeAdapter(new NodeEngine(), ...adapted);
const further = { batchSize: 4, threads: 1, adapter: 'lora', rank: 3, lr: 1e-2, warmup: 2, steps: 40 } as const;
const train = (run: string, options: object) =>
  startTraining({ from: at('base'), corpus: [at('other.txt')], run: at(run), evalEvery: 20, ...further, ...options })
    .result;

/** GPT-2's embedding is its head. */
const RUNS = { both: { targets: ['lm_head', 'c_attn'] }, whole: { targets: ['c_attn'], modulesToSave: ['wte,ln_f'] } };

beforeAll(async () => {
  const play = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
  await writeFile(at('text.txt'), play.slice(0, 30_000));
  await writeFile(at('other.txt'), play.slice(-20_000));
  const sizes = { layers: 2, width: 32, heads: 4, context: 64, batchSize: 4, threads: 1 };
  const base = { ...sizes, model: 'gpt2', tokenizer: 'bpe', vocab: 300, steps: 60, lr: 1e-2 } as const;
  await startTraining({ ...base, corpus: [at('text.txt')], run: at('base') }).result;
  for (const [run, options] of Object.entries(RUNS)) await train(run, options);
}, 120_000);

async function lossOf(folder: string): Promise<number> {
  const model = await load(folder, { threads: 1 });
  const { loss } = await model.evaluate([at('other.txt')]);
  await model.close();
  return loss;
}

describe.each(Object.entries(RUNS))('what is trained of the matrix that is embedding and head: %s', (run, options) => {
  it('learns more than without it, and stays one matrix when it is joined and exported', async () => {
    await train(`${run}-inner`, { targets: ['c_attn'] });
    const loss = await lossOf(at(run));
    expect(loss).toBeLessThan(Math.min(await lossOf(at('base')), await lossOf(at(`${run}-inner`))));
    const { model, parameters } = await loadModel(at(run), merge);
    expect(model.layout).toEqual((await loadModel(at('base'))).model.layout);
    await exportModel(at(run), { to: 'hf', out: at(`${run}-hf`) });
    expect((await loadModel(at(`${run}-hf`))).parameters).toEqual(parameters);
    await exportModel(at(run), { to: 'peft', out: at(`${run}-peft`) });
    expect((await loadModel(at(`${run}-peft`), merge)).parameters).toEqual(parameters);
  });

  it('is resumed to the bit, beside a base in few bits as well, with replicas', async () => {
    const more = { ...options, baseDtype: 'int8', replicas: 2, dropout: 0.1 } as const;
    const whole = await train(`${run}-whole`, more);
    await train(`${run}-parts`, { ...more, untilLoss: 100 });
    const resumed = await train(`${run}-parts`, { ...more, untilLoss: 1e-9, resume: true });
    expect([resumed.step, resumed.valLoss]).toEqual([40, whole.valLoss]);
  });

  it.skipIf(!python)(
    'PEFT loads it, and transformers what it is joined to: same logits (MEANFIELD_PYTHON)',
    async () => {
      await exportModel(at('base'), { to: 'hf', out: at(`${run}-base`) });
      const loaded = await loadModel(at(run), merge);
      const text_ids = [...loaded.tokenizer.encode(text)];
      const ids = text_ids.slice(0, 20);
      await writeFile(
        at('logits.json'),
        JSON.stringify({ input_ids: [ids], logits: await logitsOf(loaded, ids), text, text_ids }),
      );
      const asked = async (folder: string, ...more: string[]) => {
        const args = ['test/hf_check.py', 'logits', folder, at('logits.json'), ...more];
        return JSON.parse((await promisify(execFile)(python!, args)).stdout);
      };
      const adapter = join(at(run), 'model');
      expect((await asked(at(`${run}-base`), '--adapter', adapter)).max_abs_difference).toBeLessThan(1e-4);
      await exportModel(at(run), { to: 'hf', out: at(`${run}-joined`) });
      expect((await asked(at(`${run}-joined`))).max_abs_difference).toBeLessThan(1e-4);
      const without = await asked(at(`${run}-base`), '--tolerance', '1e9');
      expect(without.max_abs_difference).toBeGreaterThan(1e-2);
    },
  );
});

it("is written as PEFT writes it with ensure_weight_tying, an adapter's matrices for the head the other way", async () => {
  const shapes = async (run: string) => {
    const file = await SafetensorsFile.open(at(run, 'model/adapter_model.safetensors'));
    const found = Object.fromEntries([...file.tensors.values()].map(({ name, shape }) => [name, shape]));
    await file.close();
    return found;
  };
  const settings = async (run: string) => JSON.parse(await readFile(at(run, 'model/adapter_config.json'), 'utf8'));
  expect(await shapes('both')).toMatchObject({
    'base_model.model.transformer.wte.lora_embedding_A': [3, 300],
    'base_model.model.transformer.wte.lora_embedding_B': [32, 3],
    'base_model.model.lm_head.lora_A.weight': [3, 32],
    'base_model.model.lm_head.lora_B.weight': [300, 3],
  });
  expect(await settings('both')).toMatchObject({
    target_modules: ['c_attn', 'lm_head', 'wte'],
    modules_to_save: null,
    ensure_weight_tying: true,
  });
  expect(await shapes('whole')).toMatchObject({
    'base_model.model.transformer.wte.weight': [300, 32],
    'base_model.model.transformer.ln_f.weight': [32],
    'base_model.model.transformer.ln_f.bias': [32],
  });
  expect(await settings('whole')).toMatchObject({
    modules_to_save: ['lm_head', 'transformer.ln_f', 'transformer.wte'],
    ensure_weight_tying: true,
  });
});

it('beside a model in memory it counts where its matrices are the same, and is refused else', async () => {
  const base = await load(at('base'), { threads: 1 });
  const both = await base.withAdapter(at('both'));
  const { loss } = await both.evaluate([at('other.txt')]);
  expect(Math.abs(loss / (await lossOf(at('both'))) - 1)).toBeLessThan(1e-5);
  await expect(base.withAdapter(at('whole'))).rejects.toThrow(/has a transformer\.\S+ of its own.*with load/);
  for (const model of [both, base]) await model.close();
});
