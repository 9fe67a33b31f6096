import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { encodeSafetensors } from '../src/base/safetensors-writer.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { exportModel } from '../src/export/export-model.js';
import type { ExportOptions } from '../src/export/options.js';
import { loadModel, type MergeAdapter } from '../src/hub/load-model.js';
import { load } from '../src/inference/load.js';
import { startTraining } from '../src/local/train.js';
import { mergeAdapter } from '../src/training/merge-adapter.js';
import { jsonLines, meanfield, workFolder } from './command.js';
import expected from './fixtures/sentence/expected.json' with { type: 'json' };
import minilm from './fixtures/sentence/expected-minilm.json' with { type: 'json' };
import { logitsOf } from './logits.js';
import { modelPath, modelsThere } from './models/models.js';

vi.setConfig({ testTimeout: 120_000 });

const python = process.env.MEANFIELD_PYTHON;
const text = 'The king — “who’s there?” — is naïve. 12 ducats!\n';
const at = workFolder();
const tiny = new URL('./fixtures/sentence/tiny', import.meta.url).pathname;
const merge: MergeAdapter = (...adapted) => mergeAdapter(new NodeEngine(), ...adapted);

beforeAll(async () => {
  await writeFile(at('text.txt'), text.repeat(300));
  const rows = Array.from({ length: 40 }, (_, i) => ({
    messages: [
      { role: 'user', content: `What is ${i}?` },
      { role: 'assistant', content: `${i} ducats.` },
    ],
  }));
  await writeFile(at('chat.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  const sizes = { layers: 2, width: 32, heads: 4, kvHeads: 2, context: 128, batchSize: 2, threads: 1 };
  const base = { ...sizes, model: 'llama', tokenizer: 'bpe', vocab: 300, steps: 10 } as const;
  await startTraining({ ...base, corpus: [at('text.txt')], run: at('base') }).result;
  const further = { from: at('base'), batchSize: 2, threads: 1 } as const;
  await startTraining({
    ...{ ...further, adapter: 'lora', rank: 4, lr: 1e-2, steps: 20 },
    ...{ corpus: [at('text.txt')], run: at('lora') },
  }).result;
  await startTraining({
    ...{ ...further, objective: 'chat', steps: 5 },
    ...{ corpus: [at('chat.jsonl')], run: at('chat') },
  }).result;
}, 120_000);

const json = async (...path: string[]) => JSON.parse(await readFile(at(...path), 'utf8'));

/** Asks Python about an export. */
async function asked(mode: 'logits' | 'embed', folder: string, content: object, ...more: string[]) {
  const file = at(`${mode}.json`);
  await writeFile(file, JSON.stringify(content));
  const { stdout } = await promisify(execFile)(python!, ['test/hf_check.py', mode, folder, file, ...more]);
  return JSON.parse(stdout);
}

/** What our own loader and decoder make of a model. */
async function ours(model: string) {
  const loaded = await loadModel(model, merge);
  const text_ids = [...loaded.tokenizer.encode(text)];
  const ids = text_ids.slice(0, 20);
  return { input_ids: [ids], logits: await logitsOf(loaded, ids), text, text_ids };
}

describe('export --to hf', () => {
  it('writes what a run holds, in one file or several, and is read as the run is', async () => {
    const { path, files, bytes } = await exportModel(at('base'), { to: 'hf', out: at('whole') });
    expect(path).toBe(at('whole'));
    expect(files).toEqual((await readdir(path)).sort());
    expect(bytes).toBeGreaterThan(4 * (await loadModel(at('base'))).model.layout.size);
    const cut = await exportModel(at('base'), { to: 'hf', out: at('cut'), shardSize: 30e-6 });
    expect(cut.files.filter((name) => /^model-0000\d-of-0000\d\.safetensors$/.test(name)).length).toBeGreaterThan(3);
    const index = await json('cut', 'model.safetensors.index.json');
    expect(Object.keys(index.weight_map)).toEqual(Object.keys(index.weight_map).sort());
    const run = await loadModel(at('base'));
    expect(index.metadata).toEqual({
      total_parameters: run.model.layout.size,
      total_size: 4 * run.model.layout.size,
    });
    for (const folder of ['whole', 'cut']) {
      const { parameters, tokenizerFiles, generationConfig } = await loadModel(at(folder));
      expect(parameters).toEqual(run.parameters);
      expect(tokenizerFiles).toEqual(run.tokenizerFiles);
      expect(generationConfig).toEqual(run.generationConfig);
    }
  });

  it('joins an adapter with its base in single precision, and rounds once', async () => {
    const { parameters } = await loadModel(at('lora'), merge);
    await exportModel(at('lora'), { to: 'hf', out: at('joined') });
    expect((await loadModel(at('joined'))).parameters).toEqual(parameters);
    await exportModel(at('lora'), { to: 'hf', dtype: 'fp16', out: at('joined-16') });
    const half = (await loadModel(at('joined-16'))).parameters;
    expect(
      half.every((value, i) => Math.abs(value - parameters[i]!) <= 2 ** -11 * Math.abs(parameters[i]!) + 2 ** -25),
    ).toBe(true);
    expect(await json('joined-16', 'config.json')).toMatchObject({ torch_dtype: 'float16' });
  });

  it('writes a chat template in both places, and none where there is none', async () => {
    await exportModel(at('chat'), { to: 'hf', out: at('chat-hf') });
    const template = await readFile(at('chat-hf', 'chat_template.jinja'), 'utf8');
    expect((await json('chat-hf', 'tokenizer_config.json')).chat_template).toBe(template);
    expect(await readdir(at('whole'))).not.toContain('chat_template.jinja');
  });

  it('names the tensor that half precision cannot hold', async () => {
    await exportModel(at('base'), { to: 'hf', out: at('large') });
    const file = await SafetensorsFile.open(at('large', 'model.safetensors'));
    const tensors = [];
    for (const { name, shape } of file.tensors.values())
      tensors.push({ name, shape, data: await file.readFloat32(name) });
    await file.close();
    tensors.find(({ name }) => name === 'model.norm.weight')!.data[3] = -65_520;
    await writeFile(at('large', 'model.safetensors'), Buffer.concat([...encodeSafetensors(tensors)]));
    await rm(at('large', 'meanfield.json'));
    await expect(exportModel(at('large'), { to: 'hf', dtype: 'fp16', out: at('none') })).rejects.toThrow(
      /fp16 cannot hold these weights: model\.norm\.weight reach 6\.552e\+4, and it ends at 65504.*bf16/,
    );
    await exportModel(at('large'), { to: 'hf', dtype: 'bf16', out: at('large-bf16') });
    tensors.find(({ name }) => name === 'model.norm.weight')!.data[3] = Number.NaN;
    await writeFile(at('large', 'model.safetensors'), Buffer.concat([...encodeSafetensors(tensors)]));
    await expect(exportModel(at('large'), { to: 'hf', out: at('none') })).rejects.toThrow('not finite');
    expect((await readdir(at())).filter((name) => /none|tmp/.test(name))).toEqual([]);
  });

  it.skipIf(!python).each(['fp32', 'bf16', 'fp16'] as const)(
    'transformers loads a folder of several files of %s: same tokens, same logits (MEANFIELD_PYTHON)',
    async (dtype) => {
      const out = at(`python-${dtype}`);
      await exportModel(at('base'), { to: 'hf', dtype, out, shardSize: 20e-6 });
      const answer = await asked('logits', out, await ours(dtype === 'fp32' ? at('base') : out));
      const torch = { fp32: 'torch.float32', bf16: 'torch.bfloat16', fp16: 'torch.float16' }[dtype];
      expect(answer).toMatchObject({ ok: true, dtype: torch, tokenizer_round_trip: true, tokenizer_ids_equal: true });
      expect(answer.max_abs_difference).toBeLessThan(1e-4);
    },
  );

  it.skipIf(!python)('transformers loads an adapter that was joined: same logits (MEANFIELD_PYTHON)', async () => {
    await exportModel(at('lora'), { to: 'hf', out: at('python-joined') });
    const { max_abs_difference } = await asked('logits', at('python-joined'), await ours(at('lora')));
    expect(max_abs_difference).toBeLessThan(1e-4);
  });
});

describe('export --to peft', () => {
  it("writes the adapter alone, beside a base by any name, and is read as the run's", async () => {
    await exportModel(at('lora'), { to: 'peft', out: at('adapter'), base: at('base') });
    expect((await readdir(at('adapter'))).sort()).toEqual([
      ...['adapter_config.json', 'adapter_model.safetensors', 'meanfield.json'],
      ...['tokenizer.json', 'tokenizer_config.json'],
    ]);
    expect((await json('adapter', 'adapter_config.json')).base_model_name_or_path).toBe(at('base'));
    const { parameters } = await loadModel(at('lora'), merge);
    expect((await loadModel(at('adapter'), merge)).parameters).toEqual(parameters);
    // Once more, from a folder that is no run's.
    await exportModel(at('adapter'), { to: 'peft', dtype: 'bf16', out: at('adapter-16'), base: 'gone/away' });
    const file = await SafetensorsFile.open(at('adapter-16', 'adapter_model.safetensors'));
    expect(new Set([...file.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    await file.close();
  });

  it('refuses what is no adapter', async () => {
    await expect(exportModel(at('base'), { to: 'peft', out: at('none') })).rejects.toThrow(/is no adapter/);
  });

  it.skipIf(!python)('transformers and PEFT join them: same logits (MEANFIELD_PYTHON)', async () => {
    await exportModel(at('base'), { to: 'hf', out: at('python-base') });
    for (const dtype of ['fp32', 'bf16'] as const) {
      const out = at(`python-adapter-${dtype}`);
      await exportModel(at('lora'), { to: 'peft', dtype, out, base: at('python-base') });
      const model = dtype === 'fp32' ? at('lora') : out;
      const { max_abs_difference } = await asked('logits', at('python-base'), await ours(model), '--adapter', out);
      expect(max_abs_difference).toBeLessThan(1e-4);
    }
    // The adapter does something.
    const without = await asked('logits', at('python-base'), await ours(at('lora')), '--tolerance', '1e9');
    expect(without.max_abs_difference).toBeGreaterThan(1e-2);
  });
});

describe('export --to st', () => {
  const vectorsOf = async (model: string, texts: readonly string[]) => {
    const loaded = await load(model, { threads: 1 });
    const vectors = await loaded.embed(texts);
    await loaded.close();
    return vectors.map((vector) => [...vector]);
  };

  it('writes modules as they were read: the same vectors', async () => {
    await exportModel(tiny, { to: 'st', out: at('tiny') });
    expect(await vectorsOf(at('tiny'), expected.texts)).toEqual(await vectorsOf(tiny, expected.texts));
    // Of a model that does not say how, the mean.
    const notices: string[] = [];
    await exportModel(at('base'), { to: 'st', out: at('mean'), notice: (message) => notices.push(message) });
    expect(notices.join()).toMatch(/their mean is written/);
    expect(await vectorsOf(at('mean'), [text])).toEqual(await vectorsOf(at('base'), [text]));
  });

  it.skipIf(!python)('sentence-transformers gives our vectors (MEANFIELD_PYTHON)', async () => {
    await exportModel(tiny, { to: 'st', out: at('python-tiny') });
    const { texts } = expected;
    expect(await asked('embed', at('python-tiny'), { texts, vectors: await vectorsOf(tiny, texts) })).toMatchObject({
      ok: true,
    });
  });

  it.skipIf(!python || !modelsThere)(
    'sentence-transformers gives our vectors of all-MiniLM-L6-v2 (MEANFIELD_PYTHON, MEANFIELD_MODELS)',
    async () => {
      const model = modelPath('all-MiniLM-L6-v2');
      await exportModel(model, { to: 'st', out: at('minilm'), shardSize: 0.02 });
      const { texts } = minilm;
      expect(await asked('embed', at('minilm'), { texts, vectors: await vectorsOf(model, texts) })).toMatchObject({
        ok: true,
      });
    },
  );
});

describe('meanfield export', () => {
  it('tells what it wrote, replaces an earlier export, and nothing else', async () => {
    const out = at('cli');
    const first = await meanfield('export', at('base'), '--to', 'hf', '--out', out, '--json');
    expect(first.code, first.stderr).toBe(0);
    expect(jsonLines(first).at(-1)).toMatchObject({ type: 'result', path: out, to: 'hf', dtype: 'fp32' });
    const again = await meanfield('export', at('lora'), '--to', 'peft', '--out', out);
    expect(again.code, again.stderr).toBe(0);
    expect(await readdir(out)).not.toContain('model.safetensors');
    await mkdir(at('other'));
    await writeFile(at('other', 'letter.txt'), 'dear');
    for (const place of ['other', 'base', 'text.txt']) {
      const refused = await meanfield('export', at('base'), '--to', 'hf', '--out', at(place));
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/is not replaced\. Choose another --out, or remove it/);
    }
    expect(await readdir(at('other'))).toEqual(['letter.txt']);
    expect((await readdir(at())).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  it.each([
    [['--to', 'hf', '--base', 'x'], /--base is for --to peft, not hf/],
    [[], /--to is missing; allowed: hf/],
    [['--to', 'pickle'], /Allowed choices are hf/],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await meanfield('export', at('base'), ...flags, '--out', at('none'));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('from code, too', async () => {
    const wrong = (options: object) => exportModel(at('base'), options as ExportOptions);
    await expect(wrong({ to: 'hf', dtype: 'q4' })).rejects.toThrow(
      /`dtype: 'q4'` is none of `to: 'hf'`; allowed: fp32, bf16, fp16/,
    );
    await expect(wrong({ to: 'hf', size: 1 })).rejects.toThrow(/size/);
    await expect(exportModel(join(at(), 'nothing'), { to: 'hf', out: at('none') })).rejects.toThrow(/no such folder/);
    const stopped = AbortSignal.abort();
    await expect(exportModel(at('base'), { to: 'hf', out: at('none'), signal: stopped })).rejects.toThrow(/abort/i);
    expect((await readdir(at())).filter((name) => /none|tmp/.test(name))).toEqual([]);
  });
});
