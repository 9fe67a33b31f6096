import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { CharsTokenizer } from '../../src/data/tokenizers/chars.js';
import { load } from '../../src/inference/load.js';
import { browserThere, executablePath } from './page.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe.skipIf(!browserThere)('the page of examples/web.js (skipped without the browser)', () => {
  it('takes the built package as it is, and a model writes in it', async () => {
    const run = await mkdtemp(join(tmpdir(), 'meanfield-example-'));
    const model = join(run, 'model');
    await cp(join(root, 'test/fixtures/models/llama'), model, { recursive: true });
    const { vocab_size: size } = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'));
    const tokenizer = new CharsTokenizer(Array.from({ length: size }, (_, id) => 0x30 + id));
    for (const [name, text] of Object.entries(tokenizer.files())) await writeFile(join(model, name), text);
    const server = spawn(process.execPath, [join(root, 'examples/web.js'), run, '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
    try {
      const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
      const page = await browser.newPage();
      await page.goto(line.replace('listening on ', ''));
      await page.waitForFunction(`/second|[Cc]annot|Failed/.test(document.querySelector('p')?.textContent ?? '')`);
      expect(await page.textContent('p')).toMatch(/^[\d.]+ tokens a second$/);
      await using here = await load(model);
      const { text } = await here.generate({ prompt: 'ROMEO:', maxTokens: 300 }).result();
      expect(await page.textContent('pre')).toBe(text);
      expect(text.length).toBeGreaterThan(20);
    } finally {
      await browser.close();
      server.kill();
      await rm(run, { recursive: true, force: true });
    }
  }, 120_000);
});
