import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { browserThere, executablePath } from './browser/page.js';
import { kill } from './child.js';
import { jsonLines, meanfield, start, workFolder } from './command.js';

// Some thirty short runs a ladder, on machines that may have other work.
vi.setConfig({ testTimeout: 600_000 });

const at = workFolder();

/** A ladder of moments: far too short for its law to hold, long enough for all that is done on the way. */
const SHORT = [
  ...['--steps', '40', '--least', '12000', '--most', '80000', '--predict', '110000', '--seeds', '1'],
  ...['--context', '16', '--batch-size', '8', '--budget-minutes', '1'],
  ...['--replicas', '2,4', '--predict-replicas', '8', '--sync-every', '5'],
];

let book: string;
beforeAll(async () => {
  const whole = await readFile(fileURLToPath(new URL('../examples/tinyshakespeare.txt', import.meta.url)), 'utf8');
  book = at('book.txt');
  await writeFile(book, whole.slice(0, 200_000));
});

const recordOf = async (out: string) => JSON.parse(await readFile(at(out, 'scale.json'), 'utf8'));

/** Losses by job. */
const lossesOf = async (out: string) =>
  Object.fromEntries(
    Object.entries<{ loss: number }>((await recordOf(out)).results).map(([id, { loss }]) => [id, loss]),
  );

describe('meanfield scale', () => {
  it('shows the jobs and leaves nothing behind with --dry-run', async () => {
    const outcome = await meanfield('scale', book, ...SHORT, '--out', at('dry'), '--dry-run');
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toMatch(/fitted +34,176 +2 × 32 +160 +20.5k +1 +[\d.]+\n/);
    expect(outcome.stdout).toMatch(/predicted, then trained +117,504 +2 × 64 +47[45]/);
    await expect(readdir(at('dry'))).rejects.toThrow('ENOENT');
  });

  it('tunes, trains 15 rungs, predicts, trains what was predicted; killed at any moment it comes to the same', async () => {
    const outcome = await meanfield('scale', book, ...SHORT, '--out', at('whole'), '--json');
    expect(outcome.code, outcome.stderr).toBe(0);
    const events = jsonLines(outcome);
    const jobs = events.filter(({ type }) => type === 'job');
    const kinds = jobs.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'rung')).toHaveLength(15);
    expect(kinds.filter((kind) => kind === 'tune').length).toBeGreaterThanOrEqual(6);
    // What is predicted is written down before it is trained.
    const order = events.filter(({ type, kind }) => type === 'prediction' || kind === 'truth').map(({ type }) => type);
    expect(order).toEqual(['prediction', 'job']);
    const averaged = events.filter(({ type, replicas }) => type === 'gap_prediction' || replicas !== undefined);
    expect(averaged.map(({ type, replicas = 0 }) => [type, replicas]).sort()).toEqual(
      [
        ['job', 2],
        ['job', 4],
        ['gap_prediction', 0],
        ['job', 8],
      ].sort(),
    );
    expect(averaged.at(-2)!.type).toBe('gap_prediction');
    const { gaps } = events.at(-1)! as unknown as Record<string, { fitted: object[]; truths: { gap: number }[] }>;
    expect(gaps!.fitted).toHaveLength(2);
    expect(Math.abs(gaps!.truths[0]!.gap)).toBeLessThan(0.2);
    const result = events.at(-1)!;
    expect(result).toMatchObject({ type: 'result', points: 15, interrupted: false, truths: [{ seed: 1337 }] });
    const { loss, low, high } = result.prediction as Record<string, number>;
    expect(low).toBeLessThan(high!);
    const [truth] = result.truths as { loss: number; error: number; inside: boolean }[];
    const trained = jobs.find(({ kind }) => kind === 'truth')!;
    expect(truth!.loss).toBe((await lossesOf('whole'))[String(trained.id)]);
    expect(truth!.error).toBeCloseTo(loss! / truth!.loss - 1, 12);
    expect(truth!.inside).toBe(low! <= truth!.loss && truth!.loss <= high!);
    // More compute is better, even in so little of it: of each size the longest run beats the shortest.
    const losses = await lossesOf('whole');
    for (const size of [10_944, 17_504, 34_176, 46_880, 69_696])
      expect(losses[`rung-${size}-160`]).toBeLessThan(losses[`rung-${size}-40`]!);
    // A finished run has its model and figures, and no longer what only going on would take.
    expect(await readdir(at('whole', 'runs', 'rung-10944-40'))).not.toContain('tokens');

    expect((result.files as string[]).at(-1)).toBe(at('whole', 'page.html'));

    for (const [i, after] of [/"type":"job"/, /"type":"job","id":"rung/].entries()) {
      const args = i === 0 ? [book, ...SHORT] : ['--resume'];
      const running = start(['scale', ...args, '--out', at('killed'), '--json']);
      await running.said(after);
      await new Promise((resolve) => setTimeout(resolve, 300 * Math.random()));
      await kill(running.child);
      await running.done;
    }
    const done = Object.keys((await recordOf('killed')).results).length;
    expect(done).toBeGreaterThanOrEqual(7);
    expect(done).toBeLessThan(jobs.length);
    const last = await meanfield('scale', book, '--out', at('killed'), '--resume', '--json');
    expect(last.code, last.stderr).toBe(0);
    expect(await lossesOf('killed')).toEqual(losses);
    expect((await recordOf('killed')).prediction).toEqual((await recordOf('whole')).prediction);
  });

  it('saves on SIGINT and says how to go on', async () => {
    const running = start(['scale', book, ...SHORT, '--out', at('stopped')]);
    await running.said('after');
    running.child.kill('SIGINT');
    const { code, stdout } = await running.done;
    expect(code).toBe(130);
    expect(stdout).toContain('--resume');
    expect(Object.keys((await recordOf('stopped')).results).length).toBeGreaterThanOrEqual(1);
  });

  it('refuses other options on resuming, and another text', async () => {
    const other = await meanfield('scale', '--out', at('stopped'), '--resume', '--seed', '5');
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('was made with --seed 1337, not 5');
    const again = await meanfield('scale', book, ...SHORT, '--out', at('stopped'));
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('holds a ladder already');
    const text = await readFile(book, 'utf8');
    await writeFile(book, `${text}More of it.`);
    const changed = await meanfield('scale', '--out', at('stopped'), '--resume');
    await writeFile(book, text);
    expect(changed.code).toBe(1);
    expect(changed.stderr).toContain('has changed since the ladder began');
  });

  it.each([
    [[], 'Name a text file or a folder'],
    [['none.txt'], 'none.txt'],
    [['none.txt', '--steps', '3'], 'whole number from 40'],
    [['none.txt', '--least', '30000', '--most', '40000'], 'Take the two further apart'],
    [['none.txt', '--predict', '400000'], 'must be larger than those that are fitted'],
    [['none.txt', '--budget-minutes', '0'], 'above 0'],
  ])('%j is refused, and nothing is left of it', async (args, message) => {
    const outcome = await meanfield('scale', ...args, '--out', at('refused'));
    expect(outcome.code).toBeGreaterThan(0);
    expect(outcome.stderr).toContain(message);
    await expect(readdir(at('refused'))).rejects.toThrow('ENOENT');
  });
});

describe.skipIf(!browserThere)('the page of a ladder in a browser', () => {
  it('has its charts, stays within its width, fetches nothing and fails nowhere', async () => {
    const browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const [requests, errors]: string[][] = [[], []];
      page.on('request', (request) => requests!.push(request.url()));
      page.on('pageerror', (error) => errors!.push(error.message));
      await page.goto(pathToFileURL(at('whole', 'page.html')).href);
      expect(await page.locator('h1').textContent()).toBe('Scaling law whole');
      // Five sizes and the predicted one, twice; the frontier, the best runs, the prediction and the truth.
      expect(await page.locator('svg polyline').count()).toBe(6 + 6 + 4);
      expect(await page.locator('table').last().locator('tr').count()).toBe(1 + 15 + 1);
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 800 });
        const outside = await page.evaluate(() => {
          // biome-ignore lint/suspicious/noExplicitAny: types of the page are not loaded here
          const { document, innerWidth, getComputedStyle } = globalThis as any;
          const leaving = [...document.querySelectorAll('svg text')].filter((text) => {
            const [own, chart] = [text.getBoundingClientRect(), text.closest('svg').getBoundingClientRect()];
            return own.left < chart.left - 1 || own.right > chart.right + 1;
          });
          const invisible = [...document.querySelectorAll('svg polyline')].filter(
            (line) => getComputedStyle(line).stroke === 'none',
          );
          return {
            texts: leaving.map((text) => text.textContent),
            invisible: invisible.length,
            wide: document.documentElement.scrollWidth > innerWidth,
          };
        });
        expect(outside).toEqual({ texts: [], invisible: 0, wide: false });
      }
      expect(requests).toEqual([page.url()]);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
