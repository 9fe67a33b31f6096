import { expect, it } from 'vitest';
import { ENDPOINTS } from '../api/index.js';
import { ask, eventsOf, LetterModel, serveModels } from '../serve.test-support.js';

const asks: Readonly<Record<string, unknown>> = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'a' }], logprobs: true, top_logprobs: 1 },
  '/v1/completions': { prompt: 'a', logprobs: 1, echo: true },
  '/v1/embeddings': { input: 'a' },
  '/v1/moderations': { input: 'a' },
  '/v1/rerank': { query: 'a', documents: ['b'], return_documents: true },
  '/v1/classify': { input: 'a' },
  '/tokenize': { prompt: 'a' },
  '/detokenize': { tokens: [97] },
};

it('describes what is answered: every answer, and every event, is as the document says', async () => {
  const model = new LetterModel({ tasks: ['complete', 'embed', 'classify', 'rerank'] });
  const server = await serveModels([model]);
  try {
    for (const { paths, method, answer, event } of ENDPOINTS) {
      const path = paths[0]!.replace(/:.*/, 'letters');
      const body = method === 'post' ? asks[path] : undefined;
      const { status, text, json } = await ask(server, path, body);
      expect(status, path).toBe(200);
      answer.parse(json ?? text);
      if (event === undefined) continue;
      const options = { stream: true, stream_options: { include_usage: true } };
      for (const each of eventsOf((await ask(server, path, { ...(body as object), ...options })).text))
        event.parse(each);
    }
  } finally {
    await server.close();
  }
});

it('is OpenAPI 3.1, with a page that needs nothing from elsewhere', async () => {
  const server = await serveModels([new LetterModel()]);
  try {
    const { json } = await ask(server, '/openapi.json');
    expect(json.openapi).toBe('3.1.0');
    expect(Object.keys(json.paths)).toContain('/v1/models/{name}');
    const { requestBody, responses } = json.paths['/v1/completions'].post;
    const { schema } = requestBody.content['application/json'];
    expect(schema.required).toEqual(['prompt']);
    expect(schema.properties.suffix.description).toContain('Not supported');
    expect(Object.keys(responses[200].content)).toEqual(['application/json', 'text/event-stream']);
    expect(responses.default.content['application/json'].schema.$ref).toBe('#/components/schemas/Error');
    const { text, headers } = await ask(server, '/docs');
    expect(headers.get('content-type')).toContain('text/html');
    expect(text).not.toMatch(/<script|https?:\/\/|src=/);
    for (const path of Object.keys(json.paths)) expect(text).toContain(`<code>${path}</code>`);
  } finally {
    await server.close();
  }
});
