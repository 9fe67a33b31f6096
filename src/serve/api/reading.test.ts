import { afterEach, expect, it } from 'vitest';
import { ask, LetterModel, type LetterOptions, serveModels } from '../serve.test-support.js';
import type { ApiServer } from '../server.js';

let server: ApiServer;

async function serve(options: LetterOptions): Promise<LetterModel> {
  const model = new LetterModel(options);
  server = await serveModels([model]);
  return model;
}

afterEach(() => server.close());

it('gives vectors as numbers, or as the bytes of little-endian float32', async () => {
  const model = await serve({ tasks: ['embed'] });
  const [vector] = (await model.embed(['abc'])).vectors;
  const { json } = await ask(server, '/v1/embeddings', { model: 'letters', input: ['abc', 'd'], dimensions: 8 });
  expect(json.data.map(({ index }: { index: number }) => index)).toEqual([0, 1]);
  expect(json.data[0].embedding).toEqual([...vector!]);
  expect(json.usage).toEqual({ prompt_tokens: 4, total_tokens: 4 });
  const coded = await ask(server, '/v1/embeddings', { input: 'abc', encoding_format: 'base64' });
  const bytes = Buffer.from(coded.json.data[0].embedding, 'base64');
  expect(Array.from({ length: 8 }, (_, i) => bytes.readFloatLE(4 * i))).toEqual([...vector!]);
});

it.each([
  [{ input: '' }, 'input', ''],
  [{ input: [] }, 'input', ''],
  [{ input: ['a', ''] }, 'input[1]', ''],
  [{ input: [1, 2] }, 'input', 'expected texts, got numbers of tokens'],
  [{ input: [[1, 2]] }, 'input', 'check_embedding_ctx_length'],
  [{ input: 'a', dimensions: 4 }, 'dimensions', 'have 8'],
  [{ input: 'a', encoding_format: 'int8' }, 'encoding_format', ''],
])('refuses to embed %j', async (body, param, words) => {
  await serve({ tasks: ['embed'] });
  const { status, json } = await ask(server, '/v1/embeddings', body);
  expect([status, json.error.param]).toEqual([400, param]);
  expect(json.error.message).toContain(words);
});

it('classifies texts and pairs of them', async () => {
  await serve({ tasks: ['classify'] });
  const { json } = await ask(server, '/v1/classify', { input: ['a', 'a'.repeat(30)] });
  expect(json.data).toMatchObject([
    { index: 0, label: 'ok', num_classes: 2 },
    { index: 1, label: 'long', probs: [0, 1], scores: { ok: 0, long: 1 } },
  ]);
  const pairs = await ask(server, '/classify', { pairs: [['a', 'b'.repeat(20)]] });
  expect(pairs.json.data[0].label).toBe('long');
  for (const body of [{}, { input: 'a', pairs: [['a', 'b']] }])
    expect((await ask(server, '/v1/classify', body)).json.error.param).toBe('input');
});

it("tells a classifier's labels as categories, flagged but for those that say nothing is wrong", async () => {
  await serve({ tasks: ['classify'] });
  const { json } = await ask(server, '/v1/moderations', { input: ['a', 'a'.repeat(30)] });
  expect(json.results.map(({ flagged }: { flagged: boolean }) => flagged)).toEqual([false, true]);
  expect(json.results[0].categories).toEqual({ ok: true, long: false });
  expect(json.results[0].category_scores.ok).toBeCloseTo(0.95);
  const parts = await ask(server, '/v1/moderations', { input: [{ type: 'text', text: 'aaa' }], threshold: 0.1 });
  expect(parts.json.results[0].flagged).toBe(true);
});

it.each([['rerank'], ['embed']] as const)('orders documents by a model that can %s', async (task) => {
  await serve({ tasks: [task], labels: ['no', 'yes'] });
  const documents = ['zz', 'abcabcabc', { text: 'ab', title: 'x' }];
  const body = { query: 'abcabc', documents, top_n: 2, return_documents: true };
  const { json, status } = await ask(server, '/v1/rerank', body);
  expect(status).toBe(200);
  expect(json.results).toHaveLength(2);
  expect(json.results[0]).toMatchObject({ index: 1, document: { text: 'abcabcabc' } });
  expect(json.results[0].relevance_score).toBeGreaterThan(json.results[1].relevance_score);
  // A pair is read with its query, a vector is made of each text once.
  expect(json.meta.tokens.input_tokens).toBe((task === 'rerank' ? 3 : 1) * 6 + 2 + 9 + 2);
  const all = await ask(server, '/v2/rerank', { query: 'a', documents });
  expect(all.json.results).toHaveLength(3);
  expect('document' in all.json.results[0]).toBe(false);
  expect((await ask(server, '/rerank', { query: 'a', documents: [] })).json.error.param).toBe('documents');
});

it('tells tokens of texts and conversations, and texts of tokens', async () => {
  await serve({});
  const { json } = await ask(server, '/tokenize', { prompt: 'né', return_token_strs: true });
  expect(json).toEqual({
    ...{ count: 3, max_model_len: 2048, tokens: [110, 195, 169] },
    token_strs: ['n', 'bytes:\\xc3', 'bytes:\\xa9'],
  });
  const chat = await ask(server, '/tokenize', { messages: [{ role: 'user', content: 'a' }] });
  expect((await ask(server, '/detokenize', { tokens: chat.json.tokens })).json.prompt).toBe('<user>a\n<assistant>');
  expect((await ask(server, '/detokenize', { tokens: [1, 999] })).json.error.param).toBe('tokens[1]');
  expect((await ask(server, '/tokenize', {})).json.error.param).toBe('prompt');
  const long = 'a'.repeat(100_001);
  expect((await ask(server, '/tokenize', { prompt: long })).json.error.message).toMatch(/100000 at most/);
  const said = { messages: [{ role: 'user', content: long }] };
  expect((await ask(server, '/tokenize', said)).json.error.param).toBe('messages');
});

it.each([
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'a' }] }],
  ['/v1/completions', { prompt: 'a' }],
  ['/v1/embeddings', { input: 'a' }],
  ['/v1/rerank', { query: 'a', documents: ['b'] }],
])('%s says what a model is for that cannot answer it', async (route, body) => {
  await serve({ tasks: ['classify'] });
  const { status, json } = await ask(server, route, body);
  expect([status, json.error.param, json.error.code]).toEqual([400, 'model', 'model_not_supported']);
  expect(json.error.message).toContain('classifies: ask /v1/classify and /v1/moderations');
});
