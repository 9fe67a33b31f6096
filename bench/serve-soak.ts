import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseArgs, root, table } from './lib.js';
import { percentile, type SoakResult, soak } from './soak/soak.js';

/** Clients of one group: as many are like each other, so that a group's p99 is no accident of one. */
const GROUPS = 10;

/**
 * `npm run bench -- serve-soak [--minutes 10] [--clients 1000] [--queue 256] [--cases 128] [--model FOLDER] [--flags "..."]`: clients ask a
 * server on this machine all at once, each for texts that were written beforehand while nobody else asked; a third go away
 * before the end, streamed or not, queued or running, and some prompts are long.
 *
 * MODEL is a small one that is trained on the documentation unless given. What is not kept ends the bench with an error.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const [minutes, clients, queue] = [options.minutes ?? 10, options.clients ?? 1000, options.queue ?? 256].map(Number);
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-soak-'));
  try {
    const text = await documentation();
    const model = options.model ?? (await train(folder, text));
    const result = await soak({
      ...{ program: `${root}dist/cli.js`, model, text, longBytes: options.model ? 6000 : 900 },
      ...{ clients: clients!, queue: queue!, seconds: Math.round(60 * minutes!) },
      ...{ cases: Number(options.cases ?? 128), flags: options.flags?.split(' ') ?? ['--threads', '1'] },
    });
    report(result, clients!);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function documentation(): Promise<string> {
  const names = (await readdir(`${root}docs`)).filter((name) => name.endsWith('.md')).sort();
  const texts = await Promise.all(names.map((name) => readFile(`${root}docs/${name}`, 'utf8')));
  // Bytes are tokens of the small model.
  return texts.join('\n').replace(/[^\n -~]/g, '');
}

async function train(folder: string, text: string): Promise<string> {
  const corpus = join(folder, 'corpus.txt');
  await writeFile(corpus, text);
  const sizes = ['--layers', '2', '--width', '64', '--heads', '2', '--context', '1024', '--tokenizer', 'bytes'];
  const times = ['--batch-size', '4', '--steps', '100', '--eval-every', '100'];
  const run = join(folder, 'soak');
  await promisify(execFile)(process.execPath, [
    `${root}dist/cli.js`,
    ...['train', corpus, '--run', run, ...sizes, ...times],
  ]);
  return run;
}

function report({ met, rss, late, ownLate, rest, code }: SoakResult, clients: number): void {
  const { answered, wrong, failed, refused, left, waits, gaps } = met;
  const all = waits.flat();
  const groups = Array.from({ length: GROUPS }, (_, i) => waits.filter((_, client) => client % GROUPS === i).flat());
  const slow = groups.map((group) => percentile(group, 0.99));
  const apart = Math.max(...slow) / Math.min(...slow);
  const means = waits.filter((own) => own.length >= 10).map((own) => own.reduce((sum, ms) => sum + ms, 0) / own.length);
  const unfair = percentile(means, 0.99) / percentile(means, 0.5);
  // The second minute and the last; of a short soak the second quarter and the last.
  const span = Math.min(60, Math.floor(rss.length / 4));
  const middle = (values: readonly number[]) => percentile(values, 0.5);
  const growth = middle(rss.slice(-span)) / middle(rss.slice(span, 2 * span)) - 1;
  const [plain, beside] = [gaps.without, gaps.beside].map((each) => percentile(each, 0.999)) as [number, number];
  const lateMs = 1000 * Math.max(...late);
  const rows: [string, string, boolean][] = [
    [
      'whole answers, all those of the prompt',
      `${answered}, ${wrong.length} wrong`,
      answered > 0 && wrong.length === 0,
    ],
    ['errors', String(failed.length), failed.length === 0],
    ['refused (429)', String(refused), true],
    ['went away queued, in the middle of a stream, before a whole answer', Object.values(left).join(', '), true],
    ['memory, MB; growth from the 2nd minute to the last', `${mb(rss.at(-1)!)}; ${percent(growth)}`, growth < 0.05],
    ['wait for the first piece, p50 and p99, ms', `${ms(all, 0.5)}, ${ms(all, 0.99)}`, true],
    [`p99 of that, largest over smallest of ${GROUPS} groups of clients`, apart.toFixed(2), apart <= 2],
    [`mean of that by client, p99 over p50 of ${clients} clients`, unfair.toFixed(2), unfair <= 2],
    ['event loop of the server late, p99 of the worst ten seconds, ms', lateMs.toFixed(1), lateMs < 20],
    ["the clients' own, ms", ownLate.toFixed(1), true],
    ['between two pieces of a stream, p99.9, ms', plain.toFixed(0), true],
    ['the same while a long prompt is read, ms', beside.toFixed(0), beside - plain <= 200],
    [
      'left at the end: running, waiting, requests',
      Object.values(rest).join(', '),
      Object.values(rest).every((n) => n === 0),
    ],
    ['status at the end', String(code), code === 0],
  ];
  table(
    ['', '', ''],
    rows.map(([what, value, kept]) => [what, value, kept ? '' : 'not kept']),
  );
  for (const each of [...wrong, ...failed].slice(0, 5)) console.error(each);
  const broken = rows.filter(([, , kept]) => !kept).map(([what]) => what);
  if (broken.length > 0) throw new Error(`Not kept: ${broken.join('; ')}.`);
}

const mb = (bytes: number) => (bytes / 1e6).toFixed(0);
const ms = (values: readonly number[], share: number) => percentile(values, share).toFixed(0);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
