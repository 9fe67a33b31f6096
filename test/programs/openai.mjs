// Asks a server by the clients of others: node openai.mjs URL MODEL. Prints what they made of it, as JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [packages, url, model] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load('openai');
const { generateText, streamText } = await load('ai');
const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible');

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Say hello.' }];
const asked = { model, messages, temperature: 0, max_completion_tokens: 8, ignore_eos: true };
const result = { errors: [] };

result.models = (await client.models.list()).data.map(({ id }) => id);
const whole = await client.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 });
result.chat = { ...whole.choices[0], usage: whole.usage, request: whole._request_id };

const stream = client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
let streamed = '';
for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? '';
const final = await stream.finalChatCompletion();
result.stream = { text: streamed, reason: final.choices[0].finish_reason, usage: await stream.totalUsage() };

for (const wrong of [{ messages: [] }, { model: 'nobody' }, { max_completion_tokens: 1e6 }, { best_of: 3 }])
  await client.chat.completions.create({ ...asked, ...wrong }).catch((error) => {
    result.errors.push([error.constructor.name, error.status, error.code, error.param]);
  });

const stop = new AbortController();
result.pieces = 0;
const long = await client.chat.completions.create(
  { ...asked, stream: true, max_completion_tokens: 20 },
  { signal: stop.signal },
);
for await (const _ of long) {
  result.pieces++;
  stop.abort();
}

const provider = createOpenAICompatible({ name: 'meanfield', baseURL: `${url}/v1` });
const generated = await generateText({ model: provider(model), messages, temperature: 0, maxOutputTokens: 8 });
result.generateText = { text: generated.text, reason: generated.finishReason, usage: generated.usage.outputTokens };
const pieces = streamText({ model: provider(model), messages, temperature: 0, maxOutputTokens: 8 });
result.streamText = '';
for await (const piece of pieces.textStream) result.streamText += piece;
console.log(JSON.stringify(result));
