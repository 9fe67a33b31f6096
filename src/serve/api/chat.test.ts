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

const asked = { model: 'letters', messages: [{ role: 'user', content: 'abc' }] };
const weather = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const named = (name: string) => ({ type: 'function', function: { name } });
const described = { tools: (tools: readonly object[]) => `<tool_call>${JSON.stringify(tools)}\n` };

it('answers, ending where the template ends a turn', async () => {
  await serve({ write: () => 'hello<end>more' });
  const { status, json } = await ask(server, '/v1/chat/completions', asked);
  expect(status).toBe(200);
  expect(json).toEqual({
    id: expect.stringMatching(/^chatcmpl-/),
    object: 'chat.completion',
    created: expect.any(Number),
    model: 'letters',
    system_fingerprint: expect.any(String),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'hello', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: expect.objectContaining({ prompt_tokens: 21, completion_tokens: 10 }),
  });
  // All that the context has room for.
  expect(model.requests[0]).toMatchObject({ maxTokens: 2048 - 21, stop: ['<end>'] });
});

it('streams: the role first, no reason before the last, usage only when asked', async () => {
  await serve();
  const { text } = await ask(server, '/v1/chat/completions', { ...asked, stream: true });
  const events = eventsOf(text);
  expect(events.map(({ choices }) => choices[0].delta)).toEqual([
    { role: 'assistant', content: '' },
    { content: 'c' },
    { content: 'b' },
    { content: 'a' },
    {},
  ]);
  expect(events.map(({ choices }) => choices[0].finish_reason)).toEqual([null, null, null, null, 'stop']);
  expect(events.every(({ object, usage }) => object === 'chat.completion.chunk' && usage === undefined)).toBe(true);
  const body = { ...asked, stream: true, n: 2, stream_options: { include_usage: true } };
  const two = eventsOf((await ask(server, '/v1/chat/completions', body)).text);
  expect(two.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 8, prompt_tokens: 21 } });
  for (const index of [0, 1]) {
    const own = two.filter(({ choices }) => choices[0]?.index === index);
    expect(own[0].choices[0].delta.role).toBe('assistant');
    expect(own.map(({ choices }) => choices[0].delta.content ?? '').join('')).toBe('cba');
  }
});

it('tells scores with the bytes of tokens', async () => {
  await serve({ write: () => 'é' });
  const { json } = await ask(server, '/v1/chat/completions', { ...asked, logprobs: true, top_logprobs: 2 });
  expect(json.choices[0].logprobs.content).toEqual([
    {
      ...{ token: '\\xc3', bytes: [0xc3], logprob: -1.195 },
      top_logprobs: [
        { token: '\\xc4', bytes: [0xc4], logprob: -0.25 },
        { token: '\\xc5', bytes: [0xc5], logprob: -0.5 },
      ],
    },
    expect.objectContaining({ bytes: [0xa9] }),
  ]);
});

it('gives templates one text a message, and calls with objects as arguments', async () => {
  await serve();
  const messages = [
    { role: 'developer', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] }, // biome-ignore format: one line a message
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }],
    },
    { role: 'tool', content: '5', tool_call_id: 'c1' },
  ];
  const { status } = await ask(server, '/v1/chat/completions', { messages });
  expect(status).toBe(200);
  const said = await model.decode(model.requests[0]!.prompt);
  expect(said).toContain('<system>Be brief.\n<user>ab\n');
  expect(said).toContain('"arguments":{"x":1}');
});

it('tells the calls of tools, whole or streamed, with their arguments as a text', async () => {
  const call = '{"name": "weather", "arguments": {"city": "Bern"}}';
  await serve({
    ...described,
    write: () => `Let me see.\n<tool_call>\n${call}\n</tool_call>\n<tool_call>${call}</tool_call>`,
  });
  const body = { ...asked, tools: [weather], tool_choice: 'auto' };
  const { json } = await ask(server, '/v1/chat/completions', body);
  expect(json.choices[0].finish_reason).toBe('tool_calls');
  const { content, tool_calls: calls } = json.choices[0].message;
  expect(content.trim()).toBe('Let me see.');
  expect(calls).toHaveLength(2);
  expect(calls[0]).toEqual({
    id: expect.stringMatching(/^call_/),
    type: 'function',
    function: { name: 'weather', arguments: '{"city":"Bern"}' },
  });
  const events = eventsOf((await ask(server, '/v1/chat/completions', { ...body, stream: true })).text);
  const told = events.flatMap(({ choices }) => choices[0].delta.tool_calls ?? []);
  expect(told.map(({ index, type }) => [index, type])).toEqual([
    [0, 'function'],
    [1, 'function'],
  ]);
  expect(new Set(told.map(({ id }) => id)).size).toBe(2);
  expect(events.at(-1).choices[0].finish_reason).toBe('tool_calls');
  const one = await ask(server, '/v1/chat/completions', { ...body, parallel_tool_calls: false });
  expect(one.json.choices[0].message.tool_calls).toHaveLength(1);
  const none = await ask(server, '/v1/chat/completions', { ...body, tool_choice: 'none' });
  expect(none.json.choices[0].message.content).toContain('<tool_call>');
});

it('holds an answer to a call where one is wanted, behind the mark that the template knows', async () => {
  await serve({ ...described, write: () => '{"name": "weather", "arguments": {"city": "Bern"}}' });
  const time = { type: 'function', function: { name: 'time' } };
  const namesOf = () => {
    const { constraint } = model.requests.at(-1)!;
    if (constraint?.kind !== 'schema') throw new Error(`no schema: ${JSON.stringify(constraint)}`);
    return JSON.parse(constraint.schema).anyOf.map(
      ({ properties }: { properties: { name: { const: string } } }) => properties.name.const,
    );
  };
  for (const [choice, names] of [
    ['required', ['time', 'weather']],
    [named('weather'), ['weather']],
  ] as const) {
    const body = { ...asked, tools: [time, weather], tool_choice: choice };
    const { status, json, text } = await ask(server, '/v1/chat/completions', body);
    expect(status, text).toBe(200);
    expect(json.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'weather', arguments: '{"city":"Bern"}' } }] },
    });
    expect(namesOf()).toEqual(names);
    expect(await model.decode(model.requests.at(-1)!.prompt)).toMatch(/<assistant><tool_call>\n$/);
    const events = eventsOf((await ask(server, '/v1/chat/completions', { ...body, stream: true })).text);
    expect(events.at(-1).choices[0].finish_reason).toBe('tool_calls');
    expect(events.some(({ choices }) => (choices[0].delta.content ?? '') !== '')).toBe(false);
  }
  for (const choice of ['auto', 'none']) {
    await ask(server, '/v1/chat/completions', { ...asked, tools: [time], tool_choice: choice });
    expect(model.requests.at(-1)!.constraint).toBeUndefined();
  }
});

it.each([
  [{ ...asked, tools: [weather] }, 'tools', 'the template of the model "letters" knows none'],
  [{ ...asked, tools: [weather], tool_choice: 'always' }, 'tool_choice', 'expected one of "auto"|"none"|"required"'],
  [{ ...asked, tool_choice: 'required' }, 'tool_choice', 'there are no tools'],
  [{ ...asked, tools: [weather], tool_choice: named('time') }, 'tool_choice.function.name', 'names "time", which no'],
  [{ ...asked, tools: [weather], tool_choice: 'required', guided_regex: 'a' }, 'tool_choice', 'of another form'],
  [{ ...asked, functions: [] }, 'functions', 'they are called tools now'],
  [{ ...asked, modalities: ['text', 'audio'] }, 'modalities', 'is not supported'],
  [{ ...asked, max_completion_tokens: 0 }, 'max_completion_tokens', '>=1'],
  [{ ...asked, top_logprobs: 2 }, 'top_logprobs', 'set logprobs to true'],
  [{ ...asked, best_of: 2 }, 'best_of', 'Unknown parameter: best_of. Parameters: model, messages'],
  [{ messages: [] }, 'messages', '>=1'],
  [{ messages: 'hello' }, 'messages', 'expected array'],
  [{ messages: [{ role: 'wizard', content: 'a' }] }, 'messages[0].role', ''],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content', ''],
  [{ messages: [{ role: 'user', content: 'a', mood: 1 }] }, 'messages[0].mood', 'Unknown parameter'],
  [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages[0].content[0].type', ''],
  [{ messages: [{ role: 'assistant', content: null }] }, 'messages[0].content', 'says nothing'],
  [
    {
      messages: [
        { role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '[' } }] },
      ],
    },
    'messages[0].tool_calls[0].function.arguments',
    'expected a JSON object in a text',
  ],
])('refuses %j, naming %s', async (body, param, words) => {
  await serve();
  const { status, json } = await ask(server, '/v1/chat/completions', body);
  expect([status, json.error.param]).toEqual([400, param]);
  expect(json.error.message).toContain(words);
});

it('passes on what the text must be', async () => {
  await serve();
  const schema = { type: 'object', properties: { a: { type: 'integer' } } };
  for (const [format, constraint] of [
    [{ response_format: { type: 'json_object' } }, { kind: 'json' }],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict: true } } },
      { kind: 'schema', schema: JSON.stringify(schema) },
    ],
    [{ guided_regex: 'a+' }, { kind: 'regex', regex: 'a+' }],
    [{ response_format: { type: 'text' } }, undefined],
  ] as const) {
    await ask(server, '/v1/chat/completions', { ...asked, ...format });
    expect(model.requests.at(-1)!.constraint).toEqual(constraint);
  }
  const wrong = await ask(server, '/v1/chat/completions', { ...asked, guided_regex: '(' });
  expect([wrong.status, wrong.json.error.param]).toEqual([400, 'guided_regex']);
  expect(wrong.json.error.message).toBe('guided_regex cannot be kept to: this is no regular expression.');
});
