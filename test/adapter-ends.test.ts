import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
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
const ends = { ...further, targets: ['embed_tokens', 'q_proj', 'lm_head'] };
const train = (run: string, options: object) =>
  startTraining({ from: at('base'), corpus: [at('other.txt')], run: at(run), evalEvery: 20, ...options }).result;

beforeAll(async () => {
  const play = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
  await writeFile(at('text.txt'), play.slice(0, 30_000));
  await writeFile(at('other.txt'), play.slice(-20_000));
  const sizes = { layers: 2, width: 32, heads: 4, kvHeads: 2, context: 64, batchSize: 4, threads: 1 };
  const base = { ...sizes, model: 'llama', tokenizer: 'bpe', vocab: 300, steps: 60, lr: 1e-2 } as const;
  await startTraining({ ...base, corpus: [at('text.txt')], run: at('base') }).result;
  await train('ends', ends);
}, 120_000);

async function ours(model: string) {
  const loaded = await loadModel(model, merge);
  const text_ids = [...loaded.tokenizer.encode(text)];
  const ids = text_ids.slice(0, 20);
  return { input_ids: [ids], logits: await logitsOf(loaded, ids), text, text_ids };
}
async function asked(folder: string, content: object, ...more: string[]) {
  await writeFile(at('logits.json'), JSON.stringify(content));
  const { stdout } = await promisify(execFile)(python!, [
    'test/hf_check.py',
    'logits',
    folder,
    at('logits.json'),
    ...more,
  ]);
  return JSON.parse(stdout);
}
async function lossOf(folder: string, adapter?: string): Promise<number> {
  const base = await load(folder, { threads: 1 });
  const model = adapter === undefined ? base : await base.withAdapter(adapter);
  const { loss } = await model.evaluate([at('other.txt')]);
  for (const one of new Set([model, base])) await one.close();
  return loss;
}

describe('an adapter beside embedding and head', () => {
  it('learns more than without them, and is the same joined with its base as beside it', async () => {
    const inner = await train('inner', { ...further, targets: ['q_proj'] });
    const loss = await lossOf(at('ends'));
    expect(loss).toBeLessThan(Math.min(await lossOf(at('base')), await lossOf(at('inner'))));
    expect(inner.step).toBe(40);
    expect(Math.abs((await lossOf(at('base'), at('ends'))) / loss - 1)).toBeLessThan(1e-5);
    const base = await load(at('base'), { threads: 1 });
    const [beside, joined] = [await base.withAdapter(at('ends')), await load(at('ends'), { threads: 1 })];
    const options = { prompt: 'ROMEO', maxTokens: 30, temperature: 1, seed: 3 };
    expect((await beside.generate(options).result()).text).toBe((await joined.generate(options).result()).text);
    for (const model of [base, beside, joined]) await model.close();
  });

  it("is written in PEFT's layout: the embedding's matrices lie the other way, without .weight", async () => {
    const file = await SafetensorsFile.open(at('ends', 'model/adapter_model.safetensors'));
    const shapes = Object.fromEntries([...file.tensors.values()].map(({ name, shape }) => [name, shape]));
    await file.close();
    const V = (await loadModel(at('base'))).model.dimensions.vocabulary;
    expect(shapes).toMatchObject({
      'base_model.model.model.embed_tokens.lora_embedding_A': [3, V],
      'base_model.model.model.embed_tokens.lora_embedding_B': [32, 3],
      'base_model.model.lm_head.lora_A.weight': [3, 32],
      'base_model.model.lm_head.lora_B.weight': [V, 3],
    });
    const settings = JSON.parse(await readFile(at('ends', 'model/adapter_config.json'), 'utf8'));
    expect(settings).toMatchObject({ target_modules: ['embed_tokens', 'lm_head', 'q_proj'], fan_in_fan_out: false });
  });

  it('is resumed to the bit, beside a base in few bits as well, with replicas', async () => {
    const options = { ...ends, baseDtype: 'int8', replicas: 2, dropout: 0.1 } as const;
    const whole = await train('whole', options);
    await train('parts', { ...options, untilLoss: 100 });
    const resumed = await train('parts', { ...options, untilLoss: 1e-9, resume: true });
    expect([resumed.step, resumed.valLoss]).toEqual([40, whole.valLoss]);
  });

  it('learns preferences beside a head, whose reference has no adapter', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ prompt: `${i}?`, chosen: ` ${i} ducats.`, rejected: ' no.' }));
    await writeFile(at('pairs.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const result = await train('better', { ...ends, corpus: [at('pairs.jsonl')], objective: 'preference', lr: 3e-3 });
    expect(result.bestValLoss).toBeLessThan(Math.log(2));
  });

  it('is joined in full precision, rounded once, and goes out to hf, gguf and onnx', async () => {
    const { parameters } = await loadModel(at('ends'), merge);
    await exportModel(at('ends'), { to: 'hf', out: at('hf') });
    expect((await loadModel(at('hf'))).parameters).toEqual(parameters);
    await exportModel(at('ends'), { to: 'gguf', dtype: 'f32', out: at('ends.gguf') });
    const loss = await lossOf(at('ends'));
    expect(Math.abs((await lossOf(at('ends.gguf'))) / loss - 1)).toBeLessThan(1e-6);
    await exportModel(at('ends'), { to: 'onnx', out: at('onnx') });
    expect(await readdir(at('onnx', 'onnx'))).toContain('model.onnx');
    await exportModel(at('ends'), { to: 'peft', out: at('peft') });
    expect((await loadModel(at('peft'), merge)).parameters).toEqual(parameters);
  });

  it.skipIf(!python)(
    'PEFT loads it, and transformers what it is joined to: same logits (MEANFIELD_PYTHON)',
    async () => {
      await exportModel(at('base'), { to: 'hf', out: at('python-base') });
      const adapter = join(at('ends'), 'model');
      const beside = await asked(at('python-base'), await ours(at('ends')), '--adapter', adapter);
      expect(beside.max_abs_difference).toBeLessThan(1e-4);
      await exportModel(at('ends'), { to: 'hf', out: at('python-joined') });
      expect((await asked(at('python-joined'), await ours(at('ends')))).max_abs_difference).toBeLessThan(1e-4);
      const without = await asked(at('python-base'), await ours(at('ends')), '--tolerance', '1e9');
      expect(without.max_abs_difference).toBeGreaterThan(1e-2);
    },
  );
});
