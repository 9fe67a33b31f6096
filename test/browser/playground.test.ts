import { writeFile } from 'node:fs/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { meanfield, type Running, start, text, workFolder } from '../command.js';
import { browserThere, executablePath } from './page.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const at = workFolder();
const sentence = new URL('../fixtures/sentence/tiny', import.meta.url).pathname;
const KEY = 'a key of this test';

let server: Running;
let browser: Browser;
let page: Page;
let url: string;
/** What the page asked for, and what it complained of. */
const asked = new Set<string>();
const complaints: string[] = [];

const view = (name: string) => page.locator('nav a', { hasText: name }).click();
const choose = (model: string) => page.getByLabel('Model or adapter').selectOption(model);

/** For a person to look at: MEANFIELD_SCREENSHOTS names a folder. */
async function shot(name: string): Promise<void> {
  const folder = process.env.MEANFIELD_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

describe.skipIf(!browserThere)('the page of meanfield serve, in Chromium (skipped without it)', () => {
  beforeAll(async () => {
    await writeFile(at('corpus.txt'), text(20_000));
    const tiny = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '256', '--tokenizer', 'bytes'];
    const short = ['--batch-size', '4', '--threads', '1', '--steps', '150', '--eval-every', '150'];
    const trained = await meanfield('train', at('corpus.txt'), '--run', at('story'), ...tiny, ...short);
    expect(trained.code, trained.stderr).toBe(0);
    await writeFile(at('key'), `${KEY}\n`);
    server = start([
      'serve',
      at('story'),
      sentence,
      '--port',
      '0',
      '--threads',
      '1',
      '--json',
      '--api-key',
      `@${at('key')}`,
    ]);
    await server.said('"listening"');
    ({ url } = JSON.parse(
      server
        .output()
        .split('\n')
        .find((line) => line.includes('"listening"'))!,
    ));
    browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
    page = await browser.newPage({ viewport: { width: 1100, height: 700 } });
    page.on('request', (request) => asked.add(new URL(request.url()).origin));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
    });
  });

  // A page whose server has ended complains of connections alone: the server's last words say why.
  afterEach(async () => {
    const { exitCode, signalCode } = server.child;
    if (exitCode ?? signalCode) expect(await server.done).toBe('still running');
  });

  afterAll(async () => {
    await browser?.close();
    server?.child.kill('SIGKILL');
    await server?.done;
  });

  it('wants the key that the server wants, and then shows what is served', async () => {
    await page.goto(url);
    await page.getByLabel('API key').fill('another');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByLabel('API key').fill(KEY);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.waitForSelector('nav');
    expect(await page.getByLabel('Model or adapter').locator('option').allTextContents()).toEqual(['story', 'tiny']);
  });

  it('answers in a conversation, token by token, and tells on hover how likely each was', async () => {
    await page.getByLabel('Tokens at most').fill('12');
    await page.getByLabel('Seed').fill('3');
    await page.getByLabel('Temperature').fill('0.3');
    const turn = page.getByLabel('Your turn');
    await turn.fill('Who is there?');
    await turn.press('Enter');
    const answer = page.locator('article.assistant:not(.writing)');
    await answer.waitFor();
    const tokens = answer.locator('.token');
    expect(await tokens.count()).toBeGreaterThan(0);
    const first = await answer.textContent();
    await tokens.first().hover();
    const shares = await answer.locator('.alternatives tr').allTextContents();
    expect(shares.length).toBeGreaterThanOrEqual(5);
    expect(shares.every((row) => /\d\.\d %$/.test(row))).toBe(true);
    await shot('chat');
    await page.mouse.move(0, 0);
    await page.getByRole('button', { name: 'Answer again' }).click();
    await answer.waitFor();
    // The same seed writes the same.
    expect(await answer.textContent()).toBe(first);
    await page.getByRole('button', { name: 'New conversation' }).click();
    expect(await page.locator('article').count()).toBe(0);
  });

  it('stops when it is told to, and keeps what there is', async () => {
    await page.getByLabel('Tokens at most').fill('150');
    // A small model is done before a test could find the button.
    await page.evaluate(`new MutationObserver((_, watching) => {
      if (document.querySelectorAll('.writing .token').length < 3) return;
      watching.disconnect();
      for (const button of document.querySelectorAll('button')) if (button.textContent === 'Stop') button.click();
    }).observe(document.body, { subtree: true, childList: true })`);
    const turn = page.getByLabel('Your turn');
    await turn.fill('A long story');
    await turn.press('Enter');
    const answer = page.locator('article.assistant:not(.writing)');
    await answer.waitFor();
    const count = await answer.locator('.token').count();
    expect(count).toBeGreaterThanOrEqual(3);
    expect(count).toBeLessThan(150);
    expect(await page.locator('[role=alert]').count()).toBe(0);
  });

  it('tells what a model cannot do in the words of the server', async () => {
    await choose('tiny');
    await page.getByLabel('Your turn').fill('Hello');
    await page.getByRole('button', { name: 'Send' }).click();
    const alert = page.locator('[role=alert]');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/tiny/);
  });

  it('continues a text, and what it wrote', async () => {
    await view('Continue');
    await page.getByLabel('Tokens at most').fill('8');
    await page.getByLabel('Text to continue').fill('the quick');
    await page.getByRole('button', { name: 'Continue', exact: true }).click();
    const written = page.locator('article.assistant:not(.writing)');
    await written.waitFor();
    const text = await written.textContent();
    await page.getByRole('button', { name: 'Keep, and go on' }).click();
    // A field has no other line ends, and a model of bytes may write any.
    const kept = `the quick${text}`.replace(/\r\n?/g, '\n');
    expect(await page.getByLabel('Text to continue').inputValue()).toBe(kept);
    await written.waitFor();
    await shot('continue');
  });

  it('shows how alike pasted lines are', async () => {
    await view('Similarity');
    expect(await page.getByLabel('Model or adapter').locator('option').allTextContents()).toContain('tiny');
    await page.getByLabel('Texts, one a line').fill('a cat\na cat\nsomething else');
    const cell = (row: number, column: number) =>
      page.locator(`.similarity tbody tr:nth-child(${row}) td:nth-of-type(${column})`);
    await cell(3, 3).waitFor();
    expect(await Promise.all([cell(1, 2), cell(3, 3)].map((one) => one.textContent()))).toEqual(['1.00', '1.00']);
    expect(Number(await cell(1, 3).textContent())).toBeLessThan(1);
    await shot('similarity');
  });

  it('asks for nothing from elsewhere, and nothing in it fails', () => {
    expect([...asked]).toEqual([new URL(url).origin]);
    expect(complaints.filter((text) => !text.includes('status of 400'))).toEqual([]);
  });
});
