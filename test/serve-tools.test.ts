import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serving, startServing } from '../bench/soak/serving.js';
import { program, workFolder } from './command.js';
import { modelPath, modelsThere } from './models/models.js';

const folder = workFolder();
let server: Serving;

const tool = (name: string, parameters: object) => ({
  type: 'function',
  function: { name, description: name, parameters },
});
const weather = {
  type: 'object',
  properties: { city: { type: 'string', maxLength: 20 }, unit: { $ref: '#/$defs/unit' } },
  required: ['city', 'unit'],
  additionalProperties: false,
  $defs: { unit: { enum: ['celsius', 'fahrenheit'] } },
};
const time = {
  type: 'object',
  properties: { hours: { type: 'integer', minimum: 0, maximum: 23 } },
  required: ['hours'],
  additionalProperties: false,
};
const schemas = { weather, time } as Record<string, object>;
const asked = {
  messages: [{ role: 'user', content: 'What is the weather in Bern, in celsius?' }],
  tools: [tool('weather', weather), tool('time', time)],
  ...{ max_tokens: 80, seed: 1, temperature: 1 },
};

/** SmolLM2's weights with Qwen's template: its own knows no tools. */
async function modelWithTools(): Promise<string> {
  const place = modelPath('SmolLM2-135M-Instruct');
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json'])
    await symlink(join(place, name), folder(name));
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'));
  const config = await read(join(place, 'tokenizer_config.json'));
  const { chat_template } = await read(modelPath('tokenizers/qwen3/tokenizer_config.json'));
  await writeFile(folder('tokenizer_config.json'), JSON.stringify({ ...config, chat_template }));
  return folder();
}

async function ask(body: object) {
  const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

describe.skipIf(!modelsThere)('SmolLM2 with a template that knows tools (skipped without MEANFIELD_MODELS)', () => {
  beforeAll(async () => {
    server = await startServing(program, [await modelWithTools(), '--precision', 'int8', '--threads', '1']);
  }, 120_000);
  afterAll(() => server.stop());

  const validCall = (call: { function: { name: string; arguments: string } }) => {
    const validate = new Ajv2020({ strict: false }).compile(schemas[call.function.name]!);
    expect(validate(JSON.parse(call.function.arguments)), call.function.arguments).toBe(true);
    return call.function.name;
  };

  it.each([
    ['required', ['time', 'weather']],
    [{ type: 'function', function: { name: 'time' } }, ['time']],
    [{ type: 'function', function: { name: 'weather' } }, ['weather']],
  ] as const)(
    'calls a tool with arguments of its schema: %j',
    async (choice, names) => {
      for (let seed = 0; seed < 4; seed++) {
        const { status, text } = await ask({ ...asked, tool_choice: choice, seed });
        expect(status, text).toBe(200);
        const { message, finish_reason: reason } = JSON.parse(text).choices[0];
        expect([message.content, reason, message.tool_calls?.length], text).toEqual([null, 'tool_calls', 1]);
        expect(names).toContain(validCall(message.tool_calls[0]));
      }
      const { text } = await ask({ ...asked, tool_choice: choice, stream: true });
      const events = text.split('\n\n').filter((part) => part.startsWith('data: {'));
      const deltas = events.map((event) => JSON.parse(event.slice(6)).choices[0].delta);
      expect(deltas.map(({ content }) => content ?? '').join('')).toBe('');
      expect(deltas.flatMap(({ tool_calls: calls }) => (calls ?? []).map(validCall))).toHaveLength(1);
    },
    120_000,
  );

  it('writes a text where none is to be called, and hears what a tool has answered', async () => {
    const none = JSON.parse((await ask({ ...asked, tool_choice: 'none', max_tokens: 12 })).text);
    expect(none.choices[0].message.tool_calls).toBeUndefined();
    expect(none.choices[0].message.content).not.toBe('');
    // Of the tools it hears nothing then.
    const without = JSON.parse((await ask({ ...asked, tools: undefined, max_tokens: 12 })).text);
    expect(none.usage.prompt_tokens).toBe(without.usage.prompt_tokens);
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } };
    const messages = [
      ...asked.messages,
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: '{"celsius": 21}' },
    ];
    const { status, text } = await ask({ ...asked, messages, tool_choice: 'auto', max_tokens: 12 });
    expect(status, text).toBe(200);
    expect(JSON.parse(text).usage.prompt_tokens).toBeGreaterThan(none.usage.prompt_tokens + 40);
  }, 120_000);

  it('is told what of a schema cannot be held to, by the name of what it came in', async () => {
    const tools = [tool('f', { type: 'object', properties: { a: { not: {} } } })];
    const { status, text } = await ask({ ...asked, tools, tool_choice: 'required' });
    expect([status, JSON.parse(text).error]).toMatchObject([400, { param: 'tools', code: 'unsupported_parameter' }]);
    expect(JSON.parse(text).error.message).toContain('"not"');
  });
});
