import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { natsThere } from '../src/transport/nats/server.test-support.js';
import { type Outcome, text, workFolder } from './command.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = workFolder();
beforeAll(() => writeFile(at('book.txt'), text(4000)));

function begin(name: string, ...args: string[]) {
  return spawn(process.execPath, [`${root}examples/${name}`, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs an example to its end. */
async function example(name: string, ...args: string[]): Promise<Outcome> {
  const child = begin(name, ...args);
  const written = { stdout: '', stderr: '' };
  for (const out of ['stdout', 'stderr'] as const) {
    child[out].setEncoding('utf8').on('data', (piece: string) => {
      written[out] += piece;
    });
  }
  const [code, signal] = await once(child, 'close');
  return { code, signal, ...written };
}

describe('examples', () => {
  it('are listed by their page, and each is short', async () => {
    const page = await readFile(`${root}examples/README.md`, 'utf8');
    const scripts = (await readdir(`${root}examples`)).filter((name) => name.endsWith('.js'));
    expect(scripts.length).toBeGreaterThan(3);
    for (const name of scripts) {
      expect(page).toContain(`(${name})`);
      expect((await readFile(`${root}examples/${name}`, 'utf8')).split('\n').length).toBeLessThan(50);
    }
  });

  it('train, then serve: texts for two readers at once, and errors that say what is allowed', async () => {
    const trained = await example('train.js', at('book.txt'), at('run'), '30');
    expect(trained).toMatchObject({ code: 0, stderr: '' });
    expect(trained.stdout).toMatch(/step 30 of 30, loss [\d.]+\nvalidation loss [\d.]+\nbest validation loss/);
    const server = begin('server.js', at('run'), '0');
    try {
      const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
      const url = line.replace('listening on ', '');
      const ask = async (query: string) => {
        const response = await fetch(`${url}/?${query}`);
        return { status: response.status, text: await response.text() };
      };
      const answers = await Promise.all([ask('prompt=the&tokens=12'), ask('prompt=the&tokens=12')]);
      expect(answers[0]!.status).toBe(200);
      expect(answers[0]!.text.length).toBe(12);
      expect(answers[1]).toEqual(answers[0]);
      expect(await ask('tokens=many')).toMatchObject({ status: 400, text: expect.stringContaining('`maxTokens`') });
      expect(await ask('prompt=%E2%82%AC')).toMatchObject({ status: 422, text: expect.stringContaining('U+20AC') });
    } finally {
      server.kill('SIGTERM');
    }
    // It closes the model and ends by itself; Windows knows no signals.
    if (process.platform !== 'win32') expect((await once(server, 'close'))[0]).toBe(0);
  });

  it('resume', async () => {
    const { code, stdout } = await example('resume.js', at('book.txt'), at('resumed'), '150');
    expect(code).toBe(0);
    const [, stopped, from, end] = /saved at step (\d+)\ngoing on from step (\d+)\ndone at step (\d+)/.exec(stdout)!;
    expect(Number(stopped)).toBeLessThan(150);
    expect([from, end]).toEqual([stopped, '150']);
  });

  it('own tokenizers', async () => {
    const { code, stdout } = await example('tokenizer.js', at('book.txt'), at('tokenizers'), '10');
    expect(code).toBe(0);
    expect(stdout.match(/^(bytes|chars|bpe): \d+ entries, [\d.]+ bytes a token, [\d.]+ bits a byte$/gm)).toHaveLength(
      3,
    );
  });

  it('corpora and tokenizers', async () => {
    const { code, stdout } = await example('data.js', at('book.txt'), at('made'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^bytes: 256 entries, 1\.00 bytes a token\nchars: 28 entries.*\nbpe: \d+ .*\nto be\n$/);
    expect(JSON.parse(await readFile(at('made/chars/tokenizer.json'), 'utf8')).model.type).toBe('WordLevel');
  });

  it('graphs and gradients', async () => {
    const { code, stdout } = await example('graph.js');
    expect(code).toBe(0);
    const [, s, error] = /^s = ([\d.]+), mean squared error ([\d.]+)$/m.exec(stdout)!;
    // The slope of natural language is near 1.
    expect(Number(s)).toBeGreaterThan(0.8);
    expect(Number(s)).toBeLessThan(1.2);
    expect(Number(error)).toBeLessThan(0.05);
  });

  it('plans', async () => {
    const { code, stdout } = await example('plan.js', 'llama3-8b', '64xh100', at('plan.html'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^64 accelerators \{[\s\S]*\n[\d.]+ days$/m);
    expect(await readFile(at('plan.html'), 'utf8')).toMatch(/^<!doctype html>/i);
  });

  it.skipIf(!natsThere)('a cluster on one machine (skipped without nats-server)', async () => {
    const { code, stdout } = await example('cluster.js', at('book.txt'), at('cluster'), '20');
    expect(code).toBe(0);
    expect(stdout).toContain(`the model is in ${at('cluster')}/model`);
  });
});
