import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserThere, executablePath } from './browser/page.js';
import { meanfield, workFolder } from './command.js';

const at = workFolder();

describe.skipIf(!browserThere)('the page of a plan in a browser', () => {
  let browser: Browser;
  let page: Page;
  const requests: string[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    const file = at('plan.html');
    const done = await meanfield('plan', '--model', 'llama3-8b', '--cluster', '64xh100', '--html', file);
    expect(done.code).toBe(0);
    browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(pathToFileURL(file).href);
  });
  afterAll(() => browser?.close());

  test('has its four charts, fetches nothing and fails nowhere', async () => {
    expect(await page.locator('h1').textContent()).toBe('llama3-8b on 64xh100');
    expect(await page.locator('section h2').allTextContents()).toEqual([
      'Memory of a device',
      'Time of a step',
      'Cost against days',
      'Utilisation against bandwidth',
      'Why the alternatives lose',
      'Assumed',
    ]);
    expect(await page.locator('svg polyline').count()).toBe(1 + 5);
    expect(requests).toEqual([page.url()]);
    expect(errors).toEqual([]);
    expect(await readFile(at('plan.html'), 'utf8')).not.toMatch(/NaN|Infinity|undefined|<script/);
  });

  test.each(['light', 'dark'] as const)('is legible in %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const contrasts = await page.evaluate(() => {
      const light = (color: string) => {
        const [r, g, b] = color.match(/[\d.]+/g)!.map((part) => {
          const value = Number(part) / 255;
          return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      // biome-ignore lint/suspicious/noExplicitAny: types of the page are not loaded here
      const { document, getComputedStyle } = globalThis as any;
      const back = light(getComputedStyle(document.body).backgroundColor);
      return [...document.querySelectorAll('text, td, th, dt, dd, p, li, h1, h2')].map((element) => {
        const style = getComputedStyle(element);
        const ink = light(element.tagName === 'text' ? style.fill : style.color);
        return (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05);
      });
    });
    // WCAG 2.1 AA for text.
    expect(Math.min(...contrasts)).toBeGreaterThan(4.5);
  });

  test('no text of a chart leaves it, and a telephone need not scroll sideways but in tables', async () => {
    const outside = () =>
      page.evaluate(() => {
        // biome-ignore lint/suspicious/noExplicitAny: types of the page are not loaded here
        const { document, innerWidth } = globalThis as any;
        const leaving = [...document.querySelectorAll('svg text')].filter((text) => {
          const [own, chart] = [text.getBoundingClientRect(), text.closest('svg').getBoundingClientRect()];
          return own.left < chart.left - 1 || own.right > chart.right + 1;
        });
        return {
          texts: leaving.map((text) => text.textContent),
          wide: document.documentElement.scrollWidth > innerWidth,
        };
      });
    expect(await outside()).toEqual({ texts: [], wide: false });
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await outside()).toEqual({ texts: [], wide: false });
  });
});
