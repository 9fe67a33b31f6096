import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BytesTokenizer } from '../data/index.js';
import { readModelFolder } from '../hub/model-folder.js';
import { tinyModel } from '../local/local.test-support.js';
import { writeBestModel } from './best-model.js';

it('writes what Python needs to load, generate and stop', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-best-'));
  const tokenizer = new BytesTokenizer();
  const model = tinyModel(tokenizer.vocabularySize, 'llama');
  const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => i);
  await writeBestModel(join(folder, 'model'), model, tokenizer, parameters);
  const read = await readModelFolder(join(folder, 'model'));
  expect(read.config).toMatchObject({ model_type: 'llama', vocab_size: tokenizer.vocabularySize });
  const end = tokenizer.endOfText ?? null;
  expect(read.config).toMatchObject({ bos_token_id: end, eos_token_id: end });
  expect(read.generationConfig).toEqual({ bos_token_id: end, eos_token_id: end, max_length: 8 });
  expect(read.tokenizerFiles).toEqual(tokenizer.files());
  const { name, offset, size } = model.layout.entries[2]!;
  expect(await read.weights.readFloat32(name)).toEqual(parameters.subarray(offset, offset + size));
  await read.close();
  await rm(folder, { recursive: true });
});
