import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MeanfieldError } from '../base/errors.js';
import { ask, entryOf, eventsOf, LetterModel, serveModels } from './serve.test-support.js';
import type { ApiServer } from './server.js';

let server: ApiServer | undefined;
const body = { prompt: 'abc' };
const slow = () => new LetterModel({ delay: 5, write: () => 'x'.repeat(200) });

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** What comes back for bytes that are sent as they are. */
function raw(port: number, ...texts: string[]): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(port, '127.0.0.1', async () => {
      for (const text of texts) {
        socket.write(text);
        await sleep(5);
      }
    });
    socket.on('data', (data) => {
      got += data;
    });
    socket.on('error', () => resolve(got));
    socket.on('close', () => resolve(got));
  });
}

describe('models', () => {
  it('are listed, opened when asked for, and found by name', async () => {
    server = await serveModels([
      entryOf(new LetterModel()),
      entryOf(new LetterModel({ name: 'org/b' }), { parent: 'letters' }),
    ]);
    const names = async () => (await ask(server!, '/v1/models')).json;
    expect((await names()).data).toMatchObject([
      { id: 'letters', object: 'model', owned_by: 'meanfield', loaded: false, max_model_len: null, parent: null },
      { id: 'org/b', parent: 'letters' },
    ]);
    await ask(server, '/v1/completions', { ...body, model: 'org/b' });
    expect((await ask(server, '/v1/models/org/b')).json).toMatchObject({ loaded: true, tasks: ['complete'] });
    const unknown = await ask(server, '/v1/models/letter');
    expect([unknown.status, unknown.json.error.code]).toEqual([404, 'model_not_found']);
    expect(unknown.json.error.message).toContain('Served: "letters"');
    // Which of them, a request has to say.
    expect((await ask(server, '/v1/completions', body)).json.error).toMatchObject({
      param: 'model',
      code: 'missing_parameter',
    });
  });

  it('that cannot be opened are told as such, once and for all, without a path', async () => {
    const log = vi.fn();
    const open = async () => {
      throw new MeanfieldError('There is no model in /home/me/models/x.');
    };
    server = await serveModels([entryOf(new LetterModel(), { open })], { log });
    const { status, text, headers, json } = await ask(server, '/v1/completions', body);
    expect([status, json.error.code, headers.get('x-should-retry')]).toEqual([503, 'model_unavailable', 'false']);
    expect(text).not.toContain('/home');
    expect(log).toHaveBeenCalledWith('letters: There is no model in /home/me/models/x.');
  });
});

describe('a start', () => {
  it('opens the first model at once, and tells what it can be asked', async () => {
    const open = vi.fn(async () => new LetterModel({ tasks: ['embed'] }));
    server = await serveModels([entryOf(new LetterModel(), { open }), new LetterModel({ name: 'b' })], { warm: true });
    expect(await server.first()).toEqual(new Set(['embed']));
    await server.first();
    expect(open).toHaveBeenCalledOnce();
    expect((await ask(server, '/metrics')).text).toContain('meanfield_serve_model_openings_total{model="letters"} 1');
  });

  it('fails by what is wrong with the first model, which the log does not tell as well', async () => {
    const log = vi.fn();
    const open = async () => {
      throw new MeanfieldError('There is no model in /home/me/models/x.');
    };
    server = await serveModels([entryOf(new LetterModel(), { open })], { log, warm: true });
    await expect(server.first()).rejects.toThrow('There is no model in /home/me/models/x.');
    expect(log).not.toHaveBeenCalled();
  });

  it('on a port that is taken opens nothing', async () => {
    server = await serveModels([new LetterModel()]);
    const open = vi.fn(async () => new LetterModel());
    const second = serveModels([entryOf(new LetterModel(), { open })], { port: server.port, warm: true });
    await expect(second).rejects.toThrow(`Port ${server.port} is taken by another program.`);
    expect(open).not.toHaveBeenCalled();
  });
});

describe('who may ask', () => {
  it('shows a key where one is wanted', async () => {
    server = await serveModels([new LetterModel()], { apiKeys: ['first', 'second'] });
    const status = async (authorization?: string, path = '/v1/models') =>
      (await ask(server!, path, undefined, { headers: authorization === undefined ? {} : { authorization } })).status;
    expect(await status()).toBe(401);
    expect(await status('Bearer third')).toBe(401);
    expect(await status('Bearer first, second')).toBe(401);
    expect(await status('Basic first')).toBe(401);
    expect(await status('Bearer first')).toBe(200);
    expect(await status('bearer second')).toBe(200);
    expect(await status(undefined, '/metrics')).toBe(401);
    expect(await status(undefined, '/health')).toBe(200);
    const { json, headers } = await ask(server, '/v1/completions', body);
    expect(json.error).toMatchObject({ type: 'authentication_error', code: 'invalid_api_key' });
    expect(headers.get('www-authenticate')).toBe('Bearer');
  });

  it('is a page of this machine, or of an origin that was named; its headers are allowed as it asks', async () => {
    server = await serveModels([new LetterModel()], { origins: ['https://chat.example'] });
    const preflight = async (origin: string) => {
      const headers = {
        ...{ origin, 'access-control-request-method': 'POST' },
        'access-control-request-headers': 'authorization,x-stainless-os',
      };
      return fetch(`${server!.url}/v1/chat/completions`, { method: 'OPTIONS', headers });
    };
    for (const origin of ['https://chat.example', 'http://localhost:5173', 'app://obsidian.md']) {
      const { status, headers } = await preflight(origin);
      expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin]);
      expect(headers.get('access-control-allow-headers')).toBe('authorization,x-stainless-os');
    }
    for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'null']) {
      expect((await preflight(origin)).headers.get('access-control-allow-origin')).toBeNull();
      const { status, json } = await ask(server, '/v1/completions', body, { headers: { origin } });
      expect([status, json.error.code]).toEqual([403, 'origin_not_allowed']);
    }
    const own = await ask(server, '/v1/completions', body, { headers: { origin: 'http://127.0.0.1:3000' } });
    expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, 'http://127.0.0.1:3000']);
  });

  it('names this machine where the server is for it alone', async () => {
    server = await serveModels([new LetterModel()]);
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        request({ port: server!.port, path: '/v1/models', headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(await status('evil.example')).toBe(403);
    expect(await status(`localhost:${server.port}`)).toBe(200);
    expect(await status('127.0.0.1')).toBe(200);
  });

  it('has so many requests at once and no more', async () => {
    server = await serveModels([slow()], { clientRequests: 2 });
    const first = [1, 2].map(() => ask(server!, '/v1/completions', { ...body, max_tokens: 20 }));
    await sleep(60);
    const third = await ask(server, '/v1/completions', body);
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await ask(server, '/v1/completions', { ...body, max_tokens: 1 })).status).toBe(200);
  });
});

describe('a client that goes away', () => {
  it.each([[false], [true]])('ends its work within a token, streamed: %s', async (stream) => {
    const model = slow();
    server = await serveModels([model]);
    const stop = new AbortController();
    const asked = fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ ...body, max_tokens: 200, n: 2, stream }),
      signal: stop.signal,
    });
    // What is read of a stream, if it is one.
    const read = asked.then((response) => response.text());
    await vi.waitFor(() => expect(model.running).toBe(2));
    const other = ask(server, '/v1/completions', { prompt: 'b', max_tokens: 20 });
    await vi.waitFor(() => expect(model.running).toBe(3));
    stop.abort();
    await expect(read).rejects.toThrow('aborted');
    // Two hundred tokens would take ten times as long; the other text may have come to its end.
    await vi.waitFor(() => expect(model.aborted).toBe(2), { timeout: 100, interval: 2 });
    expect(model.running).toBeLessThan(2);
    expect((await other).json.choices[0].text).toBe('x'.repeat(20));
  });

  it('or reads nothing is given up, and what is made for it is bounded', async () => {
    const model = new LetterModel({ context: 1_000_000, write: () => 'x'.repeat(500_000) });
    server = await serveModels([model], { stallMs: 300 });
    const text = JSON.stringify({ prompt: 'a', max_tokens: 500_000, stream: true });
    const socket: Socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.write(`POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    await vi.waitFor(() => expect(model.running).toBe(1));
    await vi.waitFor(() => expect(model.running).toBe(0), { timeout: 20_000 });
    socket.destroy();
  });
});

it('keeps a stream alive with comments, and answers what fails in the queue as an error of its own', async () => {
  const model = new LetterModel({ delay: 120, write: () => 'ab' });
  server = await serveModels([model], { pingMs: 40 });
  const { text } = await ask(server, '/v1/completions', { ...body, stream: true });
  expect(text.match(/^: ping\n\n/gm)!.length).toBeGreaterThan(2);
  expect(
    eventsOf(text)
      .map(({ choices }) => choices[0].text)
      .join(''),
  ).toBe('ab');
});

it('gives a request up when its time is over', async () => {
  server = await serveModels([slow()], { timeLimitMs: 100 });
  const whole = await ask(server, '/v1/completions', { ...body, max_tokens: 200 });
  expect([whole.status, whole.json.error.code, whole.headers.get('x-should-retry')]).toEqual([504, 'timeout', 'false']);
  const events = eventsOf((await ask(server, '/v1/completions', { ...body, max_tokens: 200, stream: true })).text);
  expect(events.at(-1).error).toMatchObject({ code: 'timeout', type: 'server_error' });
});

describe('the end', () => {
  it('lets what runs finish, and refuses what comes', async () => {
    const model = slow();
    server = await serveModels([model], { drainMs: 5000 });
    const running = ask(server, '/v1/completions', { ...body, max_tokens: 60 });
    await vi.waitFor(() => expect(model.running).toBe(1));
    const closed = server.close();
    await expect(ask(server, '/v1/models')).rejects.toThrow();
    const { text, json } = await running;
    expect(json?.choices?.[0].text, text).toBe('x'.repeat(60));
    await closed;
    expect(model.closed).toBe(true);
    server = undefined;
  });

  it('gives up what takes too long', async () => {
    const model = slow();
    server = await serveModels([model], { drainMs: 50 });
    const running = ask(server, '/v1/completions', { ...body, max_tokens: 200, stream: true });
    await vi.waitFor(() => expect(model.running).toBe(1));
    await server.close();
    expect(eventsOf((await running).text).at(-1).error).toMatchObject({ code: 'stopping' });
    server = undefined;
  });
});

describe('what is no request', () => {
  it('is told so in the one form of errors', async () => {
    server = await serveModels([new LetterModel()]);
    const wrong = [
      await ask(server, '/v1/nothing'),
      await ask(server, '/v1/completions'),
      await ask(server, '/v1/completions', ''),
      await ask(server, '/v1/completions', '{"prompt": "a"'),
      await ask(server, '/v1/completions', 'null'),
      await ask(server, '/v1/completions', `${'['.repeat(200)}${']'.repeat(200)}`),
    ];
    expect(wrong.map(({ status }) => status)).toEqual([404, 405, 400, 400, 400, 400]);
    for (const { json } of wrong)
      expect(json.error).toEqual({
        message: expect.any(String),
        type: expect.any(String),
        param: expect.toSatisfy((param) => param === null || typeof param === 'string'),
        code: expect.toSatisfy((code) => code === null || typeof code === 'string'),
      });
    const bytes = { method: 'POST', body: Uint8Array.of(0x7b, 0xff, 0x7d) };
    expect(await (await fetch(`${server.url}/v1/completions`, bytes)).json()).toMatchObject({
      error: { message: 'The body is no UTF-8.' },
    });
  });

  it('is refused where it is too large, told or not how large', async () => {
    server = await serveModels([new LetterModel()], { maxBody: 1000 });
    const large = JSON.stringify({ prompt: 'a'.repeat(10_000_000) });
    const told = await ask(server, '/v1/completions', large);
    expect([told.status, told.json.error.code]).toEqual([413, 'request_too_large']);
    const chunk = `2000\r\n${'a'.repeat(0x2000)}\r\n`;
    const head = 'POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n';
    expect(await raw(server.port, head, chunk)).toMatch(/^HTTP\/1.1 413 [\s\S]*request_too_large/);
  });

  it('by HTTP itself gets an error of the same form', async () => {
    server = await serveModels([new LetterModel()]);
    expect(await raw(server.port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 Bad Request[\s\S]*{"error":{"message"/);
    const long = `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`;
    expect(await raw(server.port, long)).toMatch(/^HTTP\/1.1 431 /);
    const nowhere = await raw(server.port, 'GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n');
    expect(nowhere).toMatch(/^HTTP\/1.1 400 [\s\S]*{"error":{"message"/);
  });
});

it('tells figures to Prometheus', async () => {
  server = await serveModels([new LetterModel()]);
  await ask(server, '/v1/completions', body);
  await ask(server, '/v1/completions', { wrong: 1 });
  const { text, headers } = await ask(server, '/metrics');
  expect(headers.get('content-type')).toContain('version=0.0.4');
  for (const line of [
    'meanfield_serve_requests_total{route="/v1/completions",status="200"} 1',
    'meanfield_serve_requests_total{route="/v1/completions",status="400"} 1',
    'meanfield_serve_written_tokens_total{model="letters"} 4',
    'meanfield_serve_cached_tokens_total{model="letters"} 3',
    'meanfield_serve_models_open 1',
    'meanfield_serve_texts_running{model="letters"} 0',
    'meanfield_serve_first_token_seconds_count{model="letters"} 1',
  ])
    expect(text).toContain(`${line}\n`);
});

it('passes a name for a request on, where it is harmless', async () => {
  server = await serveModels([new LetterModel()]);
  const id = async (given: string) =>
    (await ask(server!, '/health', undefined, { headers: { 'x-request-id': given } })).headers.get('x-request-id');
  expect(await id('trace-1:2')).toBe('trace-1:2');
  expect(await id('<script>')).toMatch(/^req_[0-9a-f]{32}$/);
});

it('takes thousands of connections that say nothing, and answers others', async () => {
  server = await serveModels([new LetterModel()]);
  const sockets = Array.from({ length: 2000 }, () => connect(server!.port, '127.0.0.1').on('error', () => {}));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const began = performance.now();
  expect((await ask(server, '/v1/completions', body)).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(2000);
  for (const socket of sockets) socket.destroy();
});
