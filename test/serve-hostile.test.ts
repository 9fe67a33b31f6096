import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Serving, startServing } from '../bench/soak/serving.js';
import { meanfield, program, text, workFolder } from './command.js';

const folder = workFolder();
let server: Serving;

beforeAll(async () => {
  await writeFile(folder('corpus.txt'), text(20_000));
  const tiny = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '512', '--tokenizer', 'bytes'];
  const short = ['--batch-size', '1', '--threads', '1', '--steps', '2', '--eval-every', '2'];
  const trained = await meanfield('train', folder('corpus.txt'), '--run', folder('run'), ...tiny, ...short);
  expect(trained.code, trained.stderr).toBe(0);
  server = await startServing(program, [folder('run'), '--threads', '1']);
}, 120_000);
afterAll(() => server.stop());

async function ask(body: object) {
  const response = await fetch(`${server.url}/v1/completions`, { method: 'POST', body: JSON.stringify(body) });
  const got = await response.text();
  return { status: response.status, got, json: got.startsWith('{') ? JSON.parse(got) : undefined };
}

it('answers beside 10,000 connections that say nothing, which take little and are closed in time', async () => {
  // Node takes as many files as the machine lets it have; some are for others.
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const count = Math.min(10_000, limit === 'unlimited' ? 10_000 : Number(limit) - 500);
  const port = Number(new URL(server.url).port);
  const before = await server.rss();
  const sockets: Socket[] = [];
  let closed = 0;
  // As many at once as the machine's queue of connections takes.
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(500, count - sockets.length) }, () => connect(port, '127.0.0.1'));
    for (const socket of some) {
      socket.on('error', () => {});
      socket.once('close', () => closed++);
      // Else its end is not heard of.
      socket.resume();
    }
    await Promise.all(some.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    sockets.push(...some);
  }
  const { status, got } = await ask({ prompt: 'the', max_tokens: 4 });
  expect(status, got).toBe(200);
  expect(((await server.rss()) - before) / count).toBeLessThan(30_000);
  const began = performance.now();
  while (closed < count && performance.now() - began < 60_000) await new Promise((resolve) => setTimeout(resolve, 500));
  expect(closed).toBe(count);
  expect((await ask({ prompt: 'the', max_tokens: 4 })).status).toBe(200);
}, 150_000);

it('readers that read nothing hold up nobody, and those of them who go away are forgotten', async () => {
  const { port } = new URL(server.url);
  const body = JSON.stringify({ prompt: 'a', max_tokens: 400, n: 4, stream: true, logprobs: 5, ignore_eos: true });
  const head = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n`;
  const before = await server.rss();
  const slow = Array.from({ length: 40 }, () => {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    socket.pause();
    socket.write(head + body);
    return socket;
  });
  // Turns are fair: who asks for four tokens has them long before 160 texts of 400 are written.
  expect((await ask({ prompt: 'the', max_tokens: 4, user: 'other' })).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect((await server.rss()) - before).toBeLessThan(300e6);
  for (const socket of slow) socket.destroy();
  const began = performance.now();
  // The one that asks for the figure is one itself.
  const left = async () => (await server.figure('requests_current')) - 1 + (await server.figure('texts_running'));
  while ((await left()) > 0 && performance.now() - began < 20_000)
    await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await left()).toBe(0);
}, 60_000);

it('a text that is no UTF-8 is told as one, whole or streamed', async () => {
  // Byte 0xC3 begins a character of two bytes, and never has its second; 0xA9 would be it.
  const half = { prompt: [0xc3, 0xa9, 0xff], max_tokens: 3, temperature: 0, logit_bias: { 195: 100 }, logprobs: 1 };
  const { status, json, got } = await ask(half);
  expect(status, got).toBe(200);
  expect(json.choices[0].text).toBe('\ufffd\ufffd\ufffd');
  expect(json.choices[0].logprobs.tokens).toEqual(Array.from({ length: 3 }, () => 'bytes:\\xc3'));
  const events = (await ask({ ...half, stream: true })).got.split('\n\n').filter((part) => part.startsWith('data: {'));
  expect(events.map((event) => JSON.parse(event.slice(6)).choices[0].text).join('')).toBe('\ufffd\ufffd\ufffd');
});

it.each([
  ['refers to itself', { $ref: '#' }],
  ['has itself as a part that must be there', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }],
  ['joins itself', { allOf: [{ $ref: '#' }] }],
  ['chooses itself alone', { anyOf: [{ $ref: '#' }] }],
])('a schema that %s is refused, since no text is valid', async (_, schema) => {
  const { status, got } = await ask({ prompt: 'a', response_format: { type: 'json_schema', json_schema: { schema } } });
  expect(status, got).toBe(400);
  expect(JSON.parse(got).error.param).toBe('response_format');
});

it.each([
  ['has no end that fits', { type: 'array', items: { type: 'integer' }, minItems: 1_000_000_000 }],
  ['goes on as it likes', { type: 'array', items: { $ref: '#' }, minItems: 1 }],
])('a text whose schema %s ends with its tokens', async (_, schema) => {
  const before = await server.rss();
  const format = { type: 'json_schema', json_schema: { schema } };
  const { status, got, json } = await ask({ prompt: 'a', max_tokens: 60, seed: 1, response_format: format });
  // Lists of lists alone have no innermost one, and are refused for it.
  if (status === 400) expect(json.error.param, got).toBe('response_format');
  else expect([status, json.choices[0].finish_reason], got).toEqual([200, 'length']);
  expect((await server.rss()) - before).toBeLessThan(300e6);
  expect((await ask({ prompt: 'a', max_tokens: 1 })).status).toBe(200);
});
