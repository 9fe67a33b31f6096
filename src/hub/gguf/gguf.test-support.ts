import type { JsonObject } from '../../base/json.js';
import { BpeTokenizer, type Tokenizer } from '../../data/index.js';
import { trainBpe } from '../../data/tokenizers/train-bpe.js';
import { toBytes } from '../../data/tokenizers/utf8.js';
import { WordCounter } from '../../data/tokenizers/word-counts.js';
import type { FamilyName } from '../../model/family-names.js';
import { Model } from '../../model/model.js';
import type { LoadedModel } from '../load-model.js';

/** The families that are written. */
export const WRITTEN = [
  'gpt2',
  'llama',
  'mistral',
  'qwen2',
  'qwen3',
  'smollm3',
  'phi3',
  'gemma',
  'gemma2',
  'gemma3_text',
] as const satisfies readonly FamilyName[];

/** A tokenizer of our own, trained on a text. */
export function tokenizerOf(text: string, vocabularySize = 300): BpeTokenizer {
  const counter = new WordCounter();
  counter.addText(toBytes(text));
  return new BpeTokenizer(trainBpe(counter.result(), { vocabularySize, special: ['<|endoftext|>'] }));
}

const CONTEXT = 64;

/** A small model whose scores differ from token to token, with more rows than tokens. */
export function smallModel(family: FamilyName, tokenizer: Tokenizer, change: JsonObject = {}): LoadedModel {
  const sizes = { layers: 4, width: 64, heads: 4, keyValueHeads: family === 'gpt2' ? 4 : 2, context: CONTEXT };
  const { config } = Model.create(family, { ...sizes, vocabulary: tokenizer.vocabularySize + 5 });
  const model = Model.fromConfig({ ...(config as JsonObject), ...change });
  const parameters = new Float32Array(model.layout.size);
  let place = 1;
  // Between -1 and 1, the same on every machine.
  const next = () => {
    place = (Math.imul(place, 1_664_525) + 1_013_904_223) >>> 0;
    return place / 2 ** 31 - 1;
  };
  for (const { name, shape, offset, size } of model.layout.entries) {
    const norm = shape.length === 1 && name.endsWith('.weight');
    const scale = shape.length === 1 ? 0.2 : Math.sqrt(3 / shape.at(-1)!);
    const from = norm && !family.startsWith('gemma') ? 1 : 0;
    for (let i = 0; i < size; i++) parameters[offset + i] = from + scale * next();
  }
  return { model, parameters, tokenizer, tokenizerFiles: { ...tokenizer.files() }, notices: [] };
}
