import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ENDPOINTS } from './api/index.js';
import { ask, LetterModel, serveModels } from './serve.test-support.js';
import type { ApiServer } from './server.js';

let server: ApiServer;
const log: string[] = [];

beforeAll(async () => {
  const model = new LetterModel({ tasks: ['complete', 'embed', 'classify', 'rerank'], context: 64 });
  server = await serveModels([model], { maxBody: 20_000_000, log: (message) => log.push(message) });
});
afterAll(() => server.close());

let deep: unknown = 'a';
for (let i = 0; i < 90; i++) deep = i % 2 === 0 ? [deep] : { a: deep };
const WRONG: readonly (readonly [string, unknown])[] = [
  ['a NUL', '\0'],
  ['half a character', '\ud800'],
  ['a huge number', 1e308],
  ['what no double is', 2 ** 53 + 2],
  ['less than nothing', -1],
  ['a fraction', 0.5],
  ['true', true],
  ['a list', [[], [null], '\0']],
  ['an object', { __proto__: null, a: { b: 1 } }],
  ['what is deep', deep],
  ['a name of objects', 'constructor'],
];
const GOOD: Readonly<Record<string, unknown>> = {
  ...{ prompt: 'abc', input: ['a'], query: 'a', documents: ['b'], tokens: [97], text: 'a', texts: ['a'] },
  ...{ messages: [{ role: 'user', content: 'a' }], max_tokens: 2 },
};
const posts = ENDPOINTS.filter(({ method, body }) => method === 'post' && body instanceof z.ZodObject);
const shapeOf = (body: unknown) => Object.keys((body as z.ZodObject).shape);

/** Asks with one field as it is given, the others as they should be. */
function asked(body: unknown, field: string, value: unknown): object {
  const names = shapeOf(body);
  return { ...Object.fromEntries(Object.entries(GOOD).filter(([name]) => names.includes(name))), [field]: value };
}

it.each(posts.map(({ paths, body }) => [paths[0]!, body] as const))(
  '%s: whatever a field is, it is answered, or an error that names it',
  async (path, body) => {
    for (const field of shapeOf(body))
      for (const [what, value] of WRONG) {
        const { status, json, text } = await ask(server, path, asked(body, field, value));
        const where = `${field}: ${what}: ${text.slice(0, 300)}`;
        expect(status, where).toBeLessThan(500);
        if (status === 200) continue;
        expect(Object.keys(json.error).sort(), where).toEqual(['code', 'message', 'param', 'type']);
        expect(json.error.message.length, where).toBeLessThan(1000);
      }
    expect(log).toEqual([]);
  },
  60_000,
);

it.each(posts.map(({ paths, body }) => [paths[0]!, body] as const))(
  '%s: texts of 10 MB are refused by their length, or answered, and none is told back',
  async (path, body) => {
    const large = 'ab '.repeat(3_333_333);
    const fields = shapeOf(body).filter((field) =>
      ['prompt', 'input', 'query', 'model', 'stop', 'user'].includes(field),
    );
    for (const [field, value] of [
      ...fields.map((field) => [field, large] as const),
      ...(shapeOf(body).includes('messages') ? [['messages', [{ role: 'user', content: large }]] as const] : []),
    ]) {
      const { status, text } = await ask(server, path, asked(body, field, value));
      expect(status, text.slice(0, 300)).toBeLessThan(500);
      // The vectors of a text are short, and so is what an error says of it.
      expect(text.length).toBeLessThan(100_000);
    }
    expect((await ask(server, '/health')).status).toBe(200);
  },
  60_000,
);
