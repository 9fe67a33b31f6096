import { rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../src/base/json.js';
import { Random } from '../src/base/random.js';
import { writeModelFolder } from '../src/hub/model-folder.js';
import { Model } from '../src/model/model.js';
import { makeCertificate } from '../src/transport/trust/certificate.js';
import { jsonLines, meanfield, type Running, start, text, workFolder } from './command.js';

const folder = workFolder();
let server: Running | undefined;

beforeAll(async () => {
  await writeFile(folder('corpus.txt'), text(20_000));
  await writeFile(folder('other.txt'), 'zyx wvu tsr. '.repeat(1500));
  const tiny = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '256', '--tokenizer', 'bytes'];
  const short = ['--batch-size', '1', '--threads', '1', '--steps', '4', '--sync-every', '1', '--eval-every', '4'];
  const trained = await meanfield('train', folder('corpus.txt'), '--run', folder('run'), ...tiny, ...short);
  expect(trained.code, trained.stderr).toBe(0);
}, 120_000);

afterEach(async () => {
  server?.child.kill('SIGKILL');
  await server?.done;
  server = undefined;
});

/** Starts a server. @returns what it said of itself until it listened */
async function serve(...args: string[]): Promise<{ readonly url: string; readonly lines: Record<string, unknown>[] }> {
  server = start(['serve', ...args, '--port', '0', '--threads', '1', '--json']);
  await server.said('"listening"');
  const lines = server
    .output()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return { url: lines.find(({ type }) => type === 'listening')!.url, lines };
}

const post = (url: string, body: object, init: RequestInit = {}) =>
  fetch(`${url}/v1/completions`, { method: 'POST', body: JSON.stringify(body), ...init });
const answer = async (url: string, body: object) =>
  ((await (await post(url, body)).json()) as { choices: { text: string }[] }).choices[0]!.text;

describe('--cert and --key', () => {
  it('speak HTTPS, which nobody who does not trust the certificate hears, and HTTP does not reach', async () => {
    const { certificate, key } = await makeCertificate(['localhost', '127.0.0.1']);
    await writeFile(folder('cert.pem'), certificate);
    await writeFile(folder('key.pem'), key);
    const { url } = await serve(folder('run'), '--cert', folder('cert.pem'), '--key', folder('key.pem'));
    expect(url).toMatch(/^https:/);
    const get = (options: object) =>
      new Promise<string>((resolve, reject) => {
        const asked = request(`${url}/v1/models`, options, (response) => {
          let got = `${response.statusCode} `;
          response.setEncoding('utf8').on('data', (data) => {
            got += data;
          });
          response.once('end', () => resolve(got));
        });
        asked.once('error', reject).end();
      });
    expect(await get({ ca: certificate })).toMatch(/^200 .*"run"/);
    await expect(get({})).rejects.toThrow(/self.signed/i);
    const plain = await new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
      socket.on('data', (data) => {
        got += data;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(got));
    });
    expect(plain).not.toContain('200');
    expect(await get({ ca: certificate })).toMatch(/^200 /);
  });

  it('that do not belong together, or are none, end it before it listens', async () => {
    const [one, other] = [await makeCertificate(['localhost']), await makeCertificate(['localhost'])];
    await writeFile(folder('one.pem'), one.certificate);
    await writeFile(folder('other.pem'), other.key);
    const withKey = (key: string) =>
      meanfield('serve', folder('run'), '--port', '0', '--cert', folder('one.pem'), '--key', folder(key));
    const wrong = await withKey('other.pem');
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('--cert and --key')]);
    const none = await withKey('no.pem');
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('no.pem')]);
  });
});

it('--check tells what a precision costs before it listens', async () => {
  const { lines } = await serve(folder('run'), '--precision', 'int8', '--check');
  const told = lines.findIndex(({ type }) => type === 'precision');
  expect(told).toBeLessThan(lines.findIndex(({ type }) => type === 'listening'));
  const { loss, loss_fp32: full, precision } = lines[told] as { loss: number; loss_fp32: number; precision: string };
  expect(precision).toBe('int8');
  // Eight bits cost a model of a few steps next to nothing, but something.
  expect(Math.abs(loss - full) / full).toBeLessThan(0.02);
  expect(loss).not.toBe(full);
});

it('--check tells of a model that makes vectors how near they are', async () => {
  const encoder = new URL('./fixtures/sentence/tiny', import.meta.url).pathname;
  const { lines } = await serve(encoder, '--precision', 'int8', '--check');
  const { cosine } = lines.find(({ type }) => type === 'precision') as { cosine: number };
  expect(cosine).toBeGreaterThan(0.99);
  expect(cosine).toBeLessThan(1);
});

it('--check tells of a model that stays as it is, and it is served so', async () => {
  const tiny = new URL('./fixtures/sentence/tiny/0_Transformer/', import.meta.url);
  const json = async (name: string) => JSON.parse(await readFile(new URL(name, tiny), 'utf8')) as JsonObject;
  const labels = { architectures: ['BertForSequenceClassification'], id2label: { 0: 'good', 1: 'bad' } };
  const model = Model.fromConfig({ ...(await json('config.json')), ...labels });
  const views = model.layout.views(model.layout.initialize(new Random(3)));
  await writeModelFolder(folder('labels'), {
    config: model.config as JsonObject,
    generationConfig: {},
    tensors: model.layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]! })),
    tokenizerFiles: { 'tokenizer.json': await readFile(new URL('tokenizer.json', tiny), 'utf8') },
  });
  const { url, lines } = await serve(folder('labels'), '--precision', 'int8', '--check');
  expect(lines).toContainEqual({ type: 'precision', model: folder('labels'), precision: 'fp32' });
  const told = await fetch(`${url}/v1/classify`, { method: 'POST', body: JSON.stringify({ input: 'a cat' }) });
  expect(told.status, await told.text()).toBe(200);
});

it('--adapter answers by its name as generate --adapter does, and the model beside it as without', async () => {
  const learn = ['--from', folder('run'), '--adapter', 'lora', '--run', folder('adapter'), '--lr', '0.05'];
  const times = ['--batch-size', '2', '--threads', '1', '--steps', '20', '--eval-every', '20'];
  const trained = await meanfield('train', folder('other.txt'), ...learn, ...times);
  expect(trained.code, trained.stderr).toBe(0);
  const prompt = 'the quick zyx';
  const written = async (...more: string[]) => {
    const asked = ['--prompt', prompt, '--max-tokens', '16', '--temperature', '0', '--json'];
    const outcome = await meanfield('generate', ...more, ...asked);
    expect(outcome.code, outcome.stderr).toBe(0);
    return jsonLines(outcome).at(-1)!.text as string;
  };
  const { url } = await serve(folder('run'), '--adapter', `pirate=${folder('adapter')}`);
  const body = { prompt, max_tokens: 16, temperature: 0 };
  const [base, pirate] = [
    await answer(url, { ...body, model: 'run' }),
    await answer(url, { ...body, model: 'pirate' }),
  ];
  expect(pirate).not.toBe(base);
  const own = await written(folder('run'), '--adapter', folder('adapter'));
  expect(own.endsWith(pirate) && pirate.length > 0, `${own} | ${pirate}`).toBe(true);
  expect((await written(folder('run'))).endsWith(base)).toBe(true);
  const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: object[] };
  expect(models.data).toMatchObject([
    { id: 'run', parent: null },
    { id: 'pirate', parent: 'run' },
  ]);
}, 120_000);

it('--api-key @file has a key a line, each of which is asked for', async () => {
  await writeFile(folder('keys.txt'), 'first\nsecond\n');
  const { url } = await serve(folder('run'), '--api-key', `@${folder('keys.txt')}`);
  const status = async (key?: string) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    return (await post(url, { prompt: 'a', max_tokens: 1 }, { headers })).status;
  };
  expect(await Promise.all([undefined, 'third', 'first\tsecond', 'first', 'second'].map(status))).toEqual([
    ...[401, 401, 401, 200, 200],
  ]);
});

describe('SIGTERM', () => {
  const long = { prompt: 'a', max_tokens: 200, ignore_eos: true, stream: true };

  it('lets a stream come to its end, and takes nobody else', async () => {
    const { url } = await serve(folder('run'));
    const stream = await post(url, long);
    server!.child.kill('SIGTERM');
    const [told, refused] = await Promise.all([
      stream.text(),
      // By then it does not listen, or says that it ends.
      server!.said('letting running requests end').then(() =>
        post(url, long).then(
          ({ status }) => status,
          () => 'refused',
        ),
      ),
    ]);
    expect(told.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(told).not.toContain('"error"');
    expect([503, 'refused']).toContain(refused);
    const outcome = await server!.done;
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it('ends a stream after --drain seconds, which is told why', async () => {
    const { url } = await serve(folder('run'), '--drain', '0');
    const stream = await post(url, { ...long, n: 64 });
    const reader = stream.body!.getReader();
    await reader.read();
    server!.child.kill('SIGTERM');
    let told = '';
    for (let part = await reader.read(); !part.done; part = await reader.read()) told += Buffer.from(part.value);
    expect(JSON.parse(told.split('\n\n').at(-3)!.slice(6)).error.code).toBe('stopping');
    expect((await server!.done).code).toBe(0);
  });
});

it('a model that is taken from the disk while it is served answers on', async () => {
  const trained = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '64', '--tokenizer', 'bytes'];
  const short = ['--batch-size', '1', '--threads', '1', '--steps', '2', '--eval-every', '2'];
  expect((await meanfield('train', folder('corpus.txt'), '--run', folder('gone'), ...trained, ...short)).code).toBe(0);
  const { url } = await serve(folder('gone'), `later=${folder('gone')}`, '--follow');
  const body = { model: 'gone', prompt: 'the', max_tokens: 8, temperature: 0 };
  const before = await answer(url, body);
  rmSync(folder('gone'), { recursive: true });
  // Longer than it takes until files are looked at again.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(await answer(url, body)).toBe(before);
  const later = await post(url, { ...body, model: 'later' });
  expect(later.status).toBe(503);
  expect(JSON.stringify(await later.json())).not.toContain(folder('gone'));
  expect((await fetch(`${url}/health`)).status).toBe(200);
}, 60_000);

it('shows at its start what its model can be asked', async () => {
  const tiny = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '64', '--tokenizer', 'bytes'];
  const short = ['--batch-size', '1', '--threads', '1', '--steps', '2', '--eval-every', '2'];
  const encoder = ['--model', 'bert', '--run', folder('bert')];
  expect((await meanfield('train', folder('corpus.txt'), ...encoder, ...tiny, ...short)).code).toBe(0);
  server = start(['serve', folder('bert'), '--port', '0', '--threads', '1']);
  await server.said('Ctrl-C');
  const [, asked, body] = /curl (\S+) -d '(.*)'/.exec(server.output())!;
  expect(asked).toMatch(/\/v1\/embeddings$/);
  const answered = await fetch(asked!, { method: 'POST', body: body! });
  expect(await answered.json()).toMatchObject({ object: 'list', data: [{ index: 0 }] });
}, 60_000);
