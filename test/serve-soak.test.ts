import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { percentile, soak } from '../bench/soak/soak.js';
import { meanfield, program, workFolder } from './command.js';

const folder = workFolder();

// Ten minutes of it are `npm run bench -- serve-soak`, which asks for more than a busy machine can keep.
test('1,000 clients at once for 20 seconds, a third of which go away: no answer is wrong or another one’s', async () => {
  const docs = fileURLToPath(new URL('../docs/', import.meta.url));
  const names = (await readdir(docs)).filter((name) => name.endsWith('.md')).sort();
  const texts = await Promise.all(names.map((name) => readFile(docs + name, 'utf8')));
  const text = texts.join('\n').replace(/[^\n -~]/g, '');
  await writeFile(folder('corpus.txt'), text.slice(0, 100_000));
  const sizes = ['--layers', '1', '--width', '32', '--heads', '2', '--context', '512', '--tokenizer', 'bytes'];
  const times = ['--batch-size', '4', '--threads', '1', '--steps', '60', '--eval-every', '60'];
  const trained = await meanfield('train', folder('corpus.txt'), '--run', folder('run'), ...sizes, ...times);
  expect(trained.code, trained.stderr).toBe(0);
  const { met, rss, rest, code } = await soak({
    ...{ program, model: folder('run'), text, longBytes: 480, clients: 1000, queue: 64, seconds: 20, cases: 48 },
    flags: ['--threads', '1'],
  });
  expect(met.wrong.slice(0, 3)).toEqual([]);
  expect(met.failed.slice(0, 3)).toEqual([]);
  expect(met.answered).toBeGreaterThan(100);
  // All ways to go away were taken, and the queue was full at times.
  for (const times of [met.left.queued, met.left.running, met.left.whole, met.refused])
    expect(times).toBeGreaterThan(0);
  expect(rest).toEqual({ running: 0, waiting: 0, requests: 0 });
  expect(code).toBe(0);
  const groups = Array.from({ length: 5 }, (_, i) => met.waits.filter((_, client) => client % 5 === i).flat());
  const medians = groups.map((group) => percentile(group, 0.5));
  expect(Math.max(...medians) / Math.min(...medians)).toBeLessThan(2);
  // A request that were kept for ever would take far more: each has some hundred kilobytes while it runs.
  expect(rss.at(-1)! / rss[4]!).toBeLessThan(3);
}, 180_000);
