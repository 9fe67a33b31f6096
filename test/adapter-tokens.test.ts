import { execFile } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { exportModel } from '../src/export/export-model.js';
import { loadModel, type MergeAdapter } from '../src/hub/load-model.js';
import { load } from '../src/inference/load.js';
import { startTraining } from '../src/local/train.js';
import type { TrainOptions } from '../src/run/options.js';
import { mergeAdapter } from '../src/training/merge-adapter.js';
import { workFolder } from './command.js';
import { logitsOf } from './logits.js';

vi.setConfig({ testTimeout: 120_000 });

const python = process.env.MEANFIELD_PYTHON;
const text = '<|says|>But soft, what light?<|end|>';
const at = workFolder();
const merge: MergeAdapter = (...adapted) => mergeAdapter(new NodeEngine(), ...adapted);
const json = async (...path: string[]) => JSON.parse(await readFile(at(...path), 'utf8'));

const tokens = { addTokens: ['<|says|>', '<|end|>'], adapter: 'lora', rank: 2, targets: ['q_proj', 'c_attn'] };
const settings = { batchSize: 4, threads: 1, lr: 1e-2, warmup: 2, steps: 40, evalEvery: 20 };
const train = (family: string, run: string, options: object = {}) =>
  startTraining({
    ...{ from: at(family), corpus: [at('marked.txt')], run: at(run), ...settings, ...tokens },
    targets: [family === 'gpt2' ? 'c_attn' : 'q_proj'],
    ...options,
  } as TrainOptions).result;

beforeAll(async () => {
  const play = await readFile(new URL('../examples/tinyshakespeare.txt', import.meta.url), 'utf8');
  await writeFile(at('text.txt'), play.slice(0, 20_000));
  const lines = play.slice(-20_000).split('\n');
  await writeFile(at('marked.txt'), lines.map((line) => `<|says|>${line}<|end|>`).join('\n'));
  const sizes = { layers: 2, width: 32, heads: 4, context: 64, tokenizer: 'bpe', vocab: 300 } as const;
  for (const model of ['llama', 'gpt2'] as const)
    await startTraining({ ...sizes, ...settings, model, corpus: [at('text.txt')], run: at(model) }).result;
  for (const family of ['llama', 'gpt2']) await train(family, `${family}-tuned`);
}, 120_000);

async function lossOf(folder: string): Promise<number> {
  const model = await load(folder, { threads: 1 });
  const { loss } = await model.evaluate([at('marked.txt')]);
  await model.close();
  return loss;
}
async function ours(model: string) {
  const loaded = await loadModel(model, merge);
  const text_ids = [...loaded.tokenizer.encode(text)];
  return { input_ids: [text_ids], logits: await logitsOf(loaded, text_ids), text, text_ids };
}
async function asked(folder: string, content: object, ...more: string[]) {
  await writeFile(at('logits.json'), JSON.stringify(content));
  const command = ['test/hf_check.py', 'logits', folder, at('logits.json'), ...more];
  return JSON.parse((await promisify(execFile)(python!, command)).stdout);
}

describe.each([
  ['llama', ['model.embed_tokens', 'lm_head']],
  ['gpt2', ['transformer.wte']],
] as const)('tokens added beside an adapter of %s', (family, matrices) => {
  it('have their rows trained, and no others, in as many matrices as there are', async () => {
    const base = await loadModel(at(family));
    const tuned = await loadModel(at(`${family}-tuned`), merge);
    const { vocabulary: V, width: C } = base.model.dimensions;
    expect(tuned.model.dimensions.vocabulary).toBe(V + 2);
    const file = await SafetensorsFile.open(at(`${family}-tuned`, 'model/adapter_model.safetensors'));
    for (const name of matrices) {
      const [old, now] = [base, tuned].map(
        ({ model, parameters }) => model.layout.views(parameters)[`${name}.weight`]!,
      );
      expect(now!.subarray(0, V * C)).toEqual(old);
      const [one, other] = [now!.subarray(V * C, V * C + C), now!.subarray(V * C + C)];
      expect(one).not.toEqual(other);
      const rows = await file.readFloat32(`base_model.model.${name}.token_adapter.trainable_tokens_delta`);
      expect(rows).toEqual(now!.subarray(V * C));
    }
    const all = [...file.tensors.keys()].filter((name) => name.includes('token_adapter'));
    expect(all).toHaveLength(matrices.length);
    await file.close();
    const { trainable_token_indices: told } = await json(`${family}-tuned`, 'model/adapter_config.json');
    expect(told).toEqual(Object.fromEntries(matrices.map((name) => [name.split('.').at(-1), [V, V + 1]])));
  });

  it('are read wherever the folder lies, its base being another that has no such rows', async () => {
    const loss = await lossOf(at(`${family}-tuned`));
    await cp(at(`${family}-tuned/model`), at(`${family}-alone`), { recursive: true });
    expect(await lossOf(at(`${family}-alone`))).toBe(loss);
    const untrained = `${family}-untrained`;
    await train(family, untrained, { steps: 1, lr: 1e-9, warmup: 0 });
    expect(loss).toBeLessThan((await lossOf(at(untrained))) - 0.5);
    await rm(at(`${family}-alone`, 'tokenizer.json'));
    await rm(at(`${family}-alone`, 'meanfield.json'));
    await expect(load(at(`${family}-alone`))).rejects.toThrow(/trained rows of tokens, and has no tokenizer\.json/);
    const base = await load(at(family), { threads: 1 });
    await expect(base.withAdapter(at(`${family}-tuned`))).rejects.toThrow(/has rows of tokens of its own/);
    await base.close();
  });

  it('are resumed to the bit, with replicas, beside a base in few bits', async () => {
    const options = { replicas: 2, baseDtype: 'int8' };
    const whole = await train(family, `${family}-whole`, options);
    await train(family, `${family}-parts`, { ...options, untilLoss: 100 });
    const resumed = await train(family, `${family}-parts`, { ...options, untilLoss: 1e-9, resume: true });
    expect([resumed.step, resumed.valLoss]).toEqual([40, whole.valLoss]);
  });

  it('go out joined, and on to further training', async () => {
    const { parameters } = await loadModel(at(`${family}-tuned`), merge);
    await exportModel(at(`${family}-tuned`), { to: 'hf', out: at(`${family}-hf`) });
    expect((await loadModel(at(`${family}-hf`))).parameters).toEqual(parameters);
    const more = await train(family, `${family}-more`, {
      from: at(`${family}-tuned`),
      addTokens: undefined,
      steps: 20,
    });
    expect(more.bestValLoss).toBeLessThan((await lossOf(at(`${family}-tuned`))) + 0.3);
  });

  it.skipIf(!python)(
    'PEFT loads the rows and the adapter beside a base that was resized: same logits (MEANFIELD_PYTHON)',
    async () => {
      await exportModel(at(family), { to: 'hf', out: at(`${family}-base`) });
      const adapter = join(at(`${family}-tuned`), 'model');
      const { max_abs_difference, ...answer } = await asked(
        ...([at(`${family}-base`), await ours(at(`${family}-tuned`)), '--adapter', adapter] as const),
      );
      expect(max_abs_difference).toBeLessThan(1e-4);
      expect(answer).toMatchObject({ tokenizer_ids_equal: true });
    },
  );
});

it('an embedding with trained rows gets no adapter as well', async () => {
  await expect(train('llama', 'none', { targets: ['embed_tokens', 'q_proj'] })).rejects.toThrow(
    /and model\.embed_tokens by more than that\. Leave `addTokens` out, or model\.embed_tokens out of `targets`/,
  );
});
