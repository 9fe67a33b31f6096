import { afterEach, expect, it } from 'vitest';
import { ask, eventsOf, LetterModel, type LetterOptions, serveModels } from '../serve.test-support.js';
import type { ApiServer } from '../server.js';

let server: ApiServer;
let model: LetterModel;

async function serve(options: LetterOptions = {}): Promise<void> {
  model = new LetterModel(options);
  server = await serveModels([model]);
}

afterEach(() => server.close());

it('writes on, and tells tokens and why it ended', async () => {
  await serve();
  const { status, json, headers } = await ask(server, '/v1/completions', {
    model: 'letters',
    prompt: 'abc',
    user: 'me',
  });
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('x-request-id')).toMatch(/^req_/);
  expect(json).toEqual({
    id: expect.stringMatching(/^cmpl-/),
    object: 'text_completion',
    created: expect.any(Number),
    model: 'letters',
    system_fingerprint: expect.stringMatching(/^meanfield-/),
    choices: [{ text: 'cba', index: 0, logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, prompt_tokens_details: { cached_tokens: 3 } },
  });
  expect(model.requests[0]).toMatchObject({ prompt: [97, 98, 99], maxTokens: 16, temperature: 1, topK: 0, topP: 1 });
});

it('takes several prompts and several texts of each, numbered in their order, each with a seed of its own', async () => {
  await serve();
  const { json } = await ask(server, '/v1/completions', { prompt: ['ab', 'cd'], n: 2, seed: 7, max_tokens: 1 });
  expect(json.choices.map((each: { index: number; text: string }) => [each.index, each.text])).toEqual([
    [0, 'b'],
    [1, 'b'],
    [2, 'd'],
    [3, 'd'],
  ]);
  expect(json.choices[0].finish_reason).toBe('length');
  expect(model.requests.map(({ seed }) => seed)).toEqual([7, 8, 7, 8]);
  expect(json.usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 4 });
});

it('streams in the form that clients read, with usage only when it is asked for', async () => {
  await serve({ write: () => 'né' });
  const body = { prompt: 'ab', stream: true };
  const response = await ask(server, '/v1/completions', body);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const events = eventsOf(response.text);
  expect(events.map(({ choices }) => choices[0].text).join('')).toBe('né');
  expect(events.map(({ choices }) => choices[0].finish_reason)).toEqual([null, null, 'stop']);
  expect(events.some((event) => 'usage' in event)).toBe(false);
  const asked = await ask(server, '/v1/completions', { ...body, stream_options: { include_usage: true } });
  const told = eventsOf(asked.text);
  expect(told.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  expect(told.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 4 } });
});

it('echoes prompts with their scores as harnesses read them: the first without one, the likeliest beside each', async () => {
  await serve();
  const body = { prompt: [[97, 98, 99], [100]], echo: true, logprobs: 1, max_tokens: 1, temperature: 0, seed: 1234 };
  const { json } = await ask(server, '/v1/completions', body);
  const [first, second] = json.choices;
  expect(first.text).toBe('abcc');
  expect(first.logprobs.tokens).toEqual(['a', 'b', 'c', 'c']);
  expect(first.logprobs.token_logprobs).toEqual([null, -1.098, -1.099, -1.099]);
  expect(first.logprobs.top_logprobs).toEqual([null, { c: -0.25 }, { d: -0.25 }, { d: -0.25 }]);
  expect(first.logprobs.text_offset).toEqual([0, 1, 2, 3]);
  expect(second.logprobs.token_logprobs).toHaveLength(2);
  expect(second.logprobs.token_logprobs[0]).toBeNull();
  const streamed = eventsOf((await ask(server, '/v1/completions', { ...body, prompt: [97, 98], stream: true })).text);
  expect(streamed[0].choices[0]).toMatchObject({ text: 'ab', logprobs: { token_logprobs: [null, -1.098] } });
});

it('counts offsets in characters, and writes bytes that are no text of their own as such', async () => {
  await serve({ write: () => 'é!' });
  const { json } = await ask(server, '/v1/completions', { prompt: 'a', logprobs: 0 });
  expect(json.choices[0].logprobs.tokens).toEqual(['bytes:\\xc3', 'bytes:\\xa9', '!']);
  expect(json.choices[0].logprobs.text_offset).toEqual([0, 0, 1]);
  expect(json.choices[0].logprobs.top_logprobs).toEqual([{}, {}, {}]);
});

it('stops before a text, and tells the model what else shapes it', async () => {
  await serve();
  const body = {
    ...{ prompt: 'abcdef', stop: ['d', 'zz'], temperature: 0, top_p: 0, top_k: 3, ignore_eos: true, seed: -1 },
    ...{ logit_bias: { 98: -100 }, frequency_penalty: 0.5, presence_penalty: -0.5, max_tokens: 9 },
  };
  const { json } = await ask(server, '/v1/completions', body);
  expect(json.choices[0]).toMatchObject({ text: 'fe', finish_reason: 'stop' });
  const [request] = model.requests;
  expect(request).toMatchObject({ temperature: 0, topK: 3, ignoreEnd: true, frequencyPenalty: 0.5, maxTokens: 9 });
  expect(request!.logitBias).toEqual(new Map([[98, -100]]));
  expect(request!.topP).toBeGreaterThan(0);
  expect(request!.seed).toBe(Number.MAX_SAFE_INTEGER);
});

it.each([
  [{ prompt: 'a', suffix: 'b' }, 'suffix', 'is not supported'],
  [{ prompt: 'a', best_of: 2 }, 'best_of', 'It may be 1'],
  [{ prompt: 'a', num_ctx: 5 }, 'num_ctx', 'Unknown parameter: num_ctx. Parameters: model, prompt, max_tokens'],
  [{ prompt: 'a', temperature: 'hot' }, 'temperature', 'expected number'],
  [{ prompt: 'a', temperature: 3 }, 'temperature', '<=2'],
  [{ prompt: 'a', max_tokens: 1.5 }, 'max_tokens', 'int'],
  [{ prompt: ['a', 3] }, 'prompt[1]', 'string'],
  [{ prompt: [1, -3] }, 'prompt[1]', '>=0'],
  [{ prompt: [[300]] }, 'prompt', 'names token 300; the model has 257'],
  [{ prompt: '' }, 'prompt', 'has no token'],
  [{ prompt: 'a', logit_bias: { 300: 1 } }, 'logit_bias.300', '257'],
  [{ prompt: 'a', logit_bias: { a: 1 } }, 'logit_bias.a', ''],
  [{ prompt: 'a', logprobs: 21 }, 'logprobs', '20'],
  [{ prompt: 'a', stream_options: { include_usage: true } }, 'stream_options', 'set stream to true'],
  [{ prompt: 'a', stream_options: { include: 1 }, stream: true }, 'stream_options.include', 'Unknown parameter'],
  [{ prompt: 'a', response_format: { type: 'xml' } }, 'response_format.type', ''],
  [{ prompt: 'a', guided_regex: 'a+', response_format: { type: 'json_object' } }, 'guided_regex', 'cannot both'],
  [{}, 'prompt', 'expected'],
])('refuses %j, naming %s', async (body, param, words) => {
  await serve();
  const { status, json } = await ask(server, '/v1/completions', body);
  expect(status).toBe(400);
  expect(json.error).toMatchObject({ type: 'invalid_request_error', param });
  expect(json.error.message).toContain(words);
});

it('tells a context that is too small by the code that clients know', async () => {
  await serve({ context: 10 });
  const long = await ask(server, '/v1/completions', { prompt: 'abcdef', max_tokens: 5 });
  expect(long.status).toBe(400);
  expect(long.json.error).toMatchObject({ code: 'context_length_exceeded', param: 'prompt' });
  expect(long.json.error.message).toMatch(/maximum context length is 10 tokens, and you asked for 11 tokens \(6 in/);
  expect((await ask(server, '/v1/completions', { prompt: 'abcdef', max_tokens: 4 })).status).toBe(200);
});

it('answers a failure before the first piece as an error, and after it as the last event', async () => {
  await serve({ failAfter: 2 });
  const whole = await ask(server, '/v1/completions', { prompt: 'abcd' });
  expect([whole.status, whole.json.error.type]).toEqual([500, 'server_error']);
  expect(whole.text).not.toContain('secret');
  const events = eventsOf((await ask(server, '/v1/completions', { prompt: 'abcd', stream: true })).text);
  expect(events.slice(0, 2).map(({ choices }) => choices[0].text)).toEqual(['d', 'c']);
  expect(events.at(-1)).toEqual({
    error: { message: expect.any(String), type: 'server_error', param: null, code: null },
  });
});

it('answers 429 and when to come again where the queue is full, streamed or not', async () => {
  await serve({ places: 0 });
  for (const stream of [false, true]) {
    const { status, json, headers } = await ask(server, '/v1/completions', { prompt: 'a', stream });
    expect([status, json.error.code, headers.get('retry-after')]).toEqual([429, 'rate_limit_exceeded', '1']);
  }
});
