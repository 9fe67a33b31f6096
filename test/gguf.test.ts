import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { writeFileAtomic } from '../src/base/files/atomic.js';
import { SafetensorsFile } from '../src/base/files/safetensors.js';
import { parseTokenizer } from '../src/data/index.js';
import { encodeGguf } from '../src/hub/gguf/encode.js';
import { smallModel, tokenizerOf } from '../src/hub/gguf/gguf.test-support.js';
import { openGguf } from '../src/hub/gguf/open-gguf.js';
import { quantize } from '../src/hub/gguf/quantize.js';
import { writtenModel } from '../src/hub/gguf/write-model.js';
import { load } from '../src/index.js';
import { meanfield, workFolder } from './command.js';
import { modelPath, modelsThere } from './models/models.js';

// A Hugging Face folder was made from it in Python, in bfloat16.
const gguf = 'SmolLM2-135M-Instruct.Q4_1.gguf';
const folder = 'SmolLM2-135M-Instruct';
const at = workFolder();
const texts = [
  'Hello, world! 1234 tokens <|im_start|>user\nHi<|im_end|>\n',
  "It's  a\ttest\n\n of 3.14 ½ naïve 日本語 🙂‍🔥   ",
];

test.skipIf(!modelsThere)(
  'a real GGUF file has the tensors, settings and tokens that Python read from it',
  async () => {
    const opened = await openGguf(modelPath(gguf));
    const python = await SafetensorsFile.open(modelPath(`${folder}/model.safetensors`));
    try {
      expect([...opened.weights.tensors.keys()].sort()).toEqual([...python.tensors.keys()].sort());
      for (const [name, { shape }] of python.tensors) {
        expect(opened.weights.tensors.get(name)!.shape).toEqual(shape);
        const rounded = quantize('BF16', await opened.weights.readFloat32(name));
        expect(Buffer.compare(rounded, await python.readBytes(name)), name).toBe(0);
      }
      const config = JSON.parse(await readFile(modelPath(`${folder}/config.json`), 'utf8'));
      const { torch_dtype: _, architectures: __, hidden_act: ___, ...rest } = config;
      expect(opened.config).toMatchObject(rest);
      const files = await Promise.all(
        ['tokenizer.json', 'tokenizer_config.json'].map((name) => readFile(modelPath(`${folder}/${name}`), 'utf8')),
      );
      const [ours, theirs] = await Promise.all(
        [Object.values(opened.tokenizerFiles), files].map(([tokenizer, config]) =>
          parseTokenizer({ 'tokenizer.json': tokenizer!, 'tokenizer_config.json': config! }, gguf),
        ),
      );
      for (const text of texts) expect(ours!.encode(text)).toEqual(theirs!.encode(text));
      expect(JSON.parse(opened.tokenizerFiles['tokenizer_config.json']!).chat_template).toBe(
        JSON.parse(files[1]!).chat_template,
      );
    } finally {
      await opened.close();
      await python.close();
    }
  },
);

test.skipIf(!modelsThere)('it evaluates and generates as that folder does', { timeout: 300_000 }, async () => {
  const results = [];
  for (const name of [gguf, folder]) {
    const model = await load(modelPath(name));
    const options = { prompt: 'The capital of France is', temperature: 0, maxTokens: 16 };
    const { text } = await model.generate(options).result();
    const { perplexity } = await model.evaluate([modelPath(`${folder}/config.json`)]);
    results.push({ text, perplexity });
    await model.close();
  }
  const [ours, theirs] = results;
  expect(ours!.text).toBe(theirs!.text);
  // bfloat16 has three digits.
  expect(ours!.perplexity / theirs!.perplexity).toBeCloseTo(1, 2);
});

test('info and generate name what a file has that is not read, and leave with 1', async () => {
  const tokenizer = tokenizerOf('the cat and the hat. '.repeat(9));
  const { metadata, tensors } = writtenModel(smallModel('llama', tokenizer), 'F32');
  const odd = { name: 'odd.weight', shape: [1, 256], type: 'IQ2_XS', data: () => [new Uint8Array(74)] } as const;
  const file = at('odd.gguf');
  await writeFileAtomic(file, encodeGguf(metadata, [...tensors, odd]));
  for (const args of [['info'], ['generate', '--prompt', 'the cat']]) {
    const { code, stderr } = await meanfield(args[0]!, file, ...args.slice(1));
    expect(code).toBe(1);
    expect(stderr).toContain('odd.weight is of type IQ2_XS, which is not read here; allowed: F32');
  }
});
