import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonLines, meanfield, type Running, start, text, workFolder } from './command.js';
import { programPath, programsThere } from './programs/programs.js';

const folder = workFolder();
let server: Running;
let url: string;

/** What a server said of where it listens. */
function addressOf(running: Running): string {
  const line = running
    .output()
    .split('\n')
    .find((each) => each.includes('"listening"'));
  return JSON.parse(line!).url;
}

async function serve(...args: string[]): Promise<Running> {
  const running = start(['serve', folder('run'), '--port', '0', '--threads', '1', '--json', ...args]);
  await running.said('"listening"');
  return running;
}

beforeAll(async () => {
  await writeFile(folder('corpus.txt'), text(20_000));
  const tiny = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '256', '--tokenizer', 'bytes'];
  const short = ['--batch-size', '1', '--threads', '1', '--steps', '2', '--sync-every', '1', '--eval-every', '2'];
  const trained = await meanfield('train', folder('corpus.txt'), '--run', folder('run'), ...tiny, ...short);
  expect(trained.code, trained.stderr).toBe(0);
  server = await serve();
  url = addressOf(server);
}, 120_000);

afterAll(async () => {
  server.child.kill('SIGKILL');
  await server.done;
});

const ask = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers });
  return { status: response.status, json: (await response.json()) as never };
};

describe('meanfield serve', () => {
  it('writes the same for the same seed, and scores a prompt as harnesses ask it to', async () => {
    const body = { prompt: 'the quick', max_tokens: 12, seed: 3, ignore_eos: true };
    const [one, two] = [await ask('/v1/completions', body), await ask('/v1/completions', body)];
    expect(one).toMatchObject({ status: 200, json: { model: 'run', choices: [{ finish_reason: 'length' }] } });
    expect((one.json as { choices: unknown }).choices).toEqual((two.json as { choices: unknown }).choices);
    const prompt = [
      [116, 104, 101],
      [97, 98],
    ];
    const scored = await ask('/v1/completions', { prompt, max_tokens: 1, echo: true, logprobs: 1, temperature: 0 });
    const { choices } = scored.json as {
      choices: { logprobs: { token_logprobs: (number | null)[]; top_logprobs: (Record<string, number> | null)[] } }[];
    };
    // As lm-eval's parse_logprobs reads them: a token is the greedy one where it has the best score, to the bit.
    for (const { logprobs } of choices)
      for (const [i, top] of logprobs.top_logprobs.entries())
        if (i > 0) expect(Math.max(...Object.values(top!))).toBeGreaterThanOrEqual(logprobs.token_logprobs[i]!);
    const told = choices.map(({ logprobs }) => logprobs.token_logprobs);
    expect(told.map((each) => each.length)).toEqual([4, 3]);
    for (const [first, ...rest] of told) {
      expect(first).toBeNull();
      expect(rest.every((value) => value! < 0 && value! > -20)).toBe(true);
    }
  });

  it.skipIf(!programsThere)("answers the client of OpenAI and the provider of Vercel's AI SDK", async () => {
    const script = fileURLToPath(new URL('programs/openai.mjs', import.meta.url));
    const packages = programPath('..');
    const { stdout } = await promisify(execFile)(process.execPath, [script, packages, url, 'run']);
    const result = JSON.parse(stdout);
    expect(result.models).toEqual(['run']);
    expect(result.chat).toMatchObject({ finish_reason: 'length', usage: { completion_tokens: 8 } });
    expect(result.chat.request).toMatch(/^req_/);
    expect(result.chat.logprobs.content).toHaveLength(8);
    expect(result.stream.text).toBe(result.chat.message.content);
    expect(result.stream).toMatchObject({ reason: 'length', usage: { completion_tokens: 8 } });
    expect(result.errors).toEqual([
      ['BadRequestError', 400, 'invalid_value', 'messages'],
      ['NotFoundError', 404, 'model_not_found', 'model'],
      ['BadRequestError', 400, 'context_length_exceeded', 'prompt'],
      ['BadRequestError', 400, 'unknown_parameter', 'best_of'],
    ]);
    expect(result.pieces).toBeLessThan(20);
    expect(result.generateText.text).toBe(result.streamText);
    expect(result.generateText.usage).toBeLessThanOrEqual(8);
  });

  it.skipIf(!programsThere)(
    "answers zodResponseFormat of OpenAI's client and generateObject of the AI SDK by their schemas",
    async () => {
      const script = fileURLToPath(new URL('programs/structured.mjs', import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [script, programPath('..'), url, 'run']);
      const result = JSON.parse(stdout);
      // The clients have thrown where an answer is not valid; this sees that there was one.
      for (const place of [result.parsed, result.streamed, result.object])
        expect(Object.keys(place)).toEqual(['city', 'kind', 'height', 'tags', 'twin']);
      expect(result.streamed).toEqual(result.parsed);
      expect(result.refused).toMatchObject({ status: 400, param: 'response_format' });
      expect(result.refused.message).toContain('multipleOf');
    },
  );

  it('asks for the key of the environment, and lets what runs end when it is stopped', async () => {
    process.env.MEANFIELD_API_KEY = 'secret';
    const own = await serve().finally(() => delete process.env.MEANFIELD_API_KEY);
    const at = addressOf(own);
    const body = JSON.stringify({ prompt: 'a', max_tokens: 200, ignore_eos: true });
    const post = (headers: Record<string, string>) => fetch(`${at}/v1/completions`, { method: 'POST', body, headers });
    expect((await post({})).status).toBe(401);
    const running = post({ authorization: 'Bearer secret' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    own.child.kill('SIGTERM');
    const answer = (await (await running).json()) as { usage: { completion_tokens: number } };
    expect(answer.usage.completion_tokens).toBe(200);
    const outcome = await own.done;
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(jsonLines(outcome).at(-1)).toMatchObject({ type: 'result', requests: 2 });
  });

  it('says what is wrong before it listens', async () => {
    const wrong = async (...args: string[]) => {
      const { code, stderr } = await meanfield('serve', ...args, '--port', '0');
      return [code, stderr];
    };
    expect(await wrong(folder('nothing'))).toEqual([1, expect.stringContaining('There is no model')]);
    expect(await wrong(folder('run'), folder('run'))).toEqual([
      2,
      expect.stringContaining('Two models would be called run'),
    ]);
    expect(await wrong(folder('run'), '--cert', 'a.pem')).toEqual([
      2,
      expect.stringContaining('--cert and --key belong'),
    ]);
    expect(await wrong(folder('run'), '--adapter', 'x')).toEqual([2, expect.stringContaining('Expected name=folder')]);
  });
});
