import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENDPOINTS } from './api/index.js';
import { LetterModel, serveModels } from './serve.test-support.js';
import type { ApiServer } from './server.js';

let server: ApiServer;
const log: string[] = [];

beforeAll(async () => {
  const model = new LetterModel({ tasks: ['complete', 'embed', 'classify', 'rerank'], context: 64 });
  server = await serveModels([model], { log: (message) => log.push(message) });
});

afterAll(() => server.close());

const ROUTES = ENDPOINTS.filter(({ method }) => method === 'post').flatMap(({ paths }) => paths);

/** What each field is at its best, so that wrong ones beside it are reached. */
const GOOD: Readonly<Record<string, unknown>> = {
  ...{ model: 'letters', prompt: 'abc', input: ['a'], query: 'a', documents: ['b'], tokens: [97] },
  ...{ messages: [{ role: 'user', content: 'a' }], max_tokens: 3, n: 1, stream: false, logprobs: 1, stop: 'x' },
};

const odd = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    1e308,
    -0,
    2 ** 53,
    1e-320,
    '',
    '\0',
    '\ud800',
    'a'.repeat(5000),
    [],
    {},
    [[]],
    [null],
  ),
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom('__proto__', 'constructor').map((key) => JSON.parse(`{"${key}":{"a":1}}`)),
);
const fields = fc.constantFrom(
  ...new Set([
    ...Object.keys(GOOD),
    'temperature',
    'logit_bias',
    'tools',
    'tool_choice',
    'response_format',
    'seed',
    'echo',
  ]),
  ...['stream_options', 'user', 'pairs', 'dimensions', 'top_logprobs', 'guided_regex', '__proto__', 'toString', ''],
);
const body = fc.oneof(
  fc.string(),
  fc.jsonValue().map((value) => JSON.stringify(value)),
  fc
    .record({ names: fc.subarray(Object.keys(GOOD)), wrong: fc.array(fc.tuple(fields, odd), { maxLength: 3 }) })
    .map(({ names, wrong }) =>
      JSON.stringify(Object.fromEntries([...names.map((name) => [name, GOOD[name]]), ...wrong])),
    ),
  // JSON that was cut off, or has bytes in it that do not belong there.
  fc.tuple(fc.nat(80), fc.string()).map(([at, junk]) => {
    const text = JSON.stringify(GOOD);
    return text.slice(0, at) + junk;
  }),
  fc.constantFrom(
    '[',
    '{"a":',
    '['.repeat(10_000),
    `{"prompt":${'['.repeat(101)}${']'.repeat(101)}}`,
    '\ufeff{}',
    'NaN',
    '1e999',
  ),
);

it('whatever comes is answered, or is a correct error that is no fault of the server', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ROUTES), body, async (route, text) => {
      const response = await fetch(server.url + route, { method: 'POST', body: text });
      if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
        expect((await response.text()).endsWith('data: [DONE]\n\n')).toBe(true);
        return;
      }
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      const json = (await response.json()) as { readonly error: { readonly message: string } };
      if (response.status === 200) return;
      expect(response.status, JSON.stringify(json)).toBeLessThan(500);
      expect(Object.keys(json)).toEqual(['error']);
      expect(Object.keys(json.error).sort()).toEqual(['code', 'message', 'param', 'type']);
      expect(json.error.message).not.toBe('');
      expect(json.error.message.length).toBeLessThan(2000);
    }),
    { numRuns: 1500 },
  );
  expect(log).toEqual([]);
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 120_000);
