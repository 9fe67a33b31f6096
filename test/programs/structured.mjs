// Asks a server for answers of a form, by the clients of others: node structured.mjs PACKAGES URL MODEL. Prints them as JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [packages, url, model] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: OpenAI } = await load('openai');
const { zodResponseFormat } = await load('openai/helpers/zod');
const { generateObject } = await load('ai');
const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible');
const { z } = await load('zod');

const Place = z.object({
  city: z.string().max(6),
  kind: z.enum(['town', 'village']),
  height: z.number().int().min(0).max(4000),
  tags: z.array(z.string().max(2)).max(2),
  twin: z.object({ city: z.string().max(4) }).nullable(),
});
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Place?' }];
const asked = { model, messages, max_completion_tokens: 185, seed: 5 };

// Each has checked what came by the schema itself: it throws where that is not valid.
const parsed = await client.chat.completions.parse({
  ...asked,
  response_format: zodResponseFormat(Place, 'place'),
});
const stream = client.chat.completions.stream({ ...asked, response_format: zodResponseFormat(Place, 'place') });
const streamed = (await stream.finalChatCompletion()).choices[0].message.parsed;

const provider = createOpenAICompatible({ name: 'meanfield', baseURL: `${url}/v1`, supportsStructuredOutputs: true });
const { object } = await generateObject({ model: provider(model), messages, schema: Place, seed: 5, maxRetries: 0 });
const refused = await client.chat.completions
  .create({
    ...asked,
    response_format: zodResponseFormat(z.object({ a: z.number().multipleOf(7) }), 'odd'),
  })
  .then(
    () => undefined,
    ({ status, param, message }) => ({ status, param, message }),
  );
console.log(JSON.stringify({ parsed: parsed.choices[0].message.parsed, streamed, object, refused }));
