import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NodeEngine } from '../src/engine/node/engine.js';
import { encode, input } from '../src/graph/index.js';
import { loadModel } from '../src/hub/load-model.js';
import { startTraining } from '../src/local/train.js';
import { logitsOf } from './logits.js';

const python = process.env.MEANFIELD_PYTHON;
const text = 'The king — “who’s there?” — is naïve. 12 ducats!\n';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-exported-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it.skipIf(!python)(
  'transformers loads a trained bert as it is: same tokens, same scores (MEANFIELD_PYTHON)',
  async () => {
    const corpus = join(folder, 'text.txt');
    await writeFile(corpus, text.repeat(300));
    const run = join(folder, 'run');
    await startTraining({
      ...{ corpus: [corpus], run, model: 'bert', tokenizer: 'bpe', vocab: 300, steps: 10, batchSize: 2 },
      ...{ layers: 2, width: 32, heads: 4, context: 32 },
    }).result;
    const { model, parameters, tokenizer } = await loadModel(run);
    const text_ids = [...tokenizer.encode(text)];
    const ids = text_ids.slice(0, 20).map((id, i) => (i % 5 === 2 ? tokenizer.mask! : id));
    const traced = model.parameterInputs();
    const hidden = model.hidden(traced, input('ids', [ids.length], 'int64'), 1, ids.length);
    const engine = new NodeEngine();
    const session = await engine.compile(encode({ logits: model.logits(traced, hidden) }, engine.target));
    const { logits } = await session.run({ ...model.layout.views(parameters), ids: BigInt64Array.from(ids, BigInt) });
    await session.dispose();
    const expected = join(folder, 'expected.json');
    await writeFile(expected, JSON.stringify({ input_ids: [ids], logits: [...logits!].map(Number), text, text_ids }));
    const check = ['test/hf_check.py', 'logits', join(run, 'model'), expected, '--masked'];
    const { stdout } = await promisify(execFile)(python!, check);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, tokenizer_round_trip: true, tokenizer_ids_equal: true });
  },
);

it.skipIf(!python).each([
  ['llama', 'bytes'],
  ['gpt2', 'bpe'],
  ['gpt2', 'chars'],
] as const)(
  'transformers loads a trained %s of %s as it is: same tokens, same logits (MEANFIELD_PYTHON)',
  async (model, tokenizer) => {
    const corpus = join(folder, 'text.txt');
    await writeFile(corpus, text.repeat(300));
    const run = join(folder, 'run');
    await startTraining({
      ...{ corpus: [corpus], run, model, tokenizer, vocab: 300, steps: 10, batchSize: 2 },
      ...{ layers: 2, width: 32, heads: 4, kvHeads: model === 'llama' ? 2 : 4, context: 32 },
    }).result;

    await expectEqualInPython(run, text);
  },
);

it.skipIf(!python).each([
  ['llama', 'bytes', false],
  ['gpt2', 'bpe', false],
  ['gpt2', 'bpe', true],
] as const)(
  'transformers loads a %s of %s with tokens added (words: %s): same tokens, same logits (MEANFIELD_PYTHON)',
  async (model, tokenizer, plainTokens) => {
    const corpus = join(folder, 'text.txt');
    const turns = `<|user|>${text}<|helper|>Yes.\n`;
    await writeFile(corpus, turns.repeat(200));
    const sizes = { layers: 1, width: 32, heads: 4, kvHeads: model === 'llama' ? 2 : 4, context: 32 };
    const short = { corpus: [corpus], steps: 5, batchSize: 2 };
    const base = join(folder, 'base');
    await startTraining({ ...short, run: base, model, tokenizer, vocab: 300, ...sizes }).result;
    const run = join(folder, 'run');
    const added = { addTokens: ['<|user|>', '<|helper|>'], plainTokens };
    await startTraining({ ...short, run, from: base, ...added }).result;
    const { vocabulary } = (await loadModel(base)).model.dimensions;
    const loaded = await loadModel(run);
    expect(loaded.model.dimensions.vocabulary).toBe(vocabulary + 2);
    const ids = [...loaded.tokenizer.encode(turns)];
    expect([ids[0], ids.includes(vocabulary + 1)]).toEqual([vocabulary, true]);
    await expectEqualInPython(run, turns);
  },
);

/** Python's tokens of a text, and scores of a text's first tokens, are ours. */
async function expectEqualInPython(run: string, text: string): Promise<void> {
  const loaded = await loadModel(run);
  const ids = [...loaded.tokenizer.encode(text)].slice(0, 20);
  const logits = await logitsOf(loaded, ids);

  const expected = join(folder, 'expected.json');
  const text_ids = [...loaded.tokenizer.encode(text)];
  await writeFile(expected, JSON.stringify({ input_ids: [ids], logits, text, text_ids }));
  const { stdout } = await promisify(execFile)(python!, ['test/hf_check.py', 'logits', join(run, 'model'), expected]);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, tokenizer_round_trip: true, tokenizer_ids_equal: true });
}
