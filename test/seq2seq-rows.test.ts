import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { load } from '../src/inference/load.js';
import { jsonLines, meanfield, workFolder } from './command.js';

const at = workFolder();
const python = process.env.MEANFIELD_PYTHON;
const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
/** Two words the other way round; the lengths of rows differ. */
const rows = WORDS.flatMap((a, i) =>
  WORDS.map((b, j) => ({
    source: `${a} ${'and '.repeat(1 + ((i + j) % 3))}${b}`,
    target: i % 2 === 0 ? `${b} ${a}` : b,
  })),
);

const train = (run: string, ...options: string[]) =>
  meanfield(
    ...['train', at('rows.jsonl'), '--run', at(run), '--json', '--batch-size', '4', '--eval-every', '100', ...options],
  );
const NEW = [
  '--objective',
  'seq2seq',
  '--layers',
  '1',
  '--width',
  '32',
  '--heads',
  '2',
  '--context',
  '32',
  '--vocab',
  '300',
];
const chosen = async (run: string) => JSON.parse(await readFile(at(run, 'run.json'), 'utf8')).chosen;
const weights = (run: string) => readFile(at(run, 'model', 'model.safetensors'));

beforeAll(async () => {
  await writeFile(at('rows.jsonl'), lines(rows));
  await writeFile(at('held.jsonl'), lines(rows.slice(0, 24)));
  const base = await train('base', ...NEW, '--steps', '400', '--replicas', '2', '--checkpoint-every', '200');
  expect(base.code, base.stderr).toBe(0);
}, 240_000);

test('a model learns targets from rows, in as much room as the longest need, and its loss is the mean over their tokens', async () => {
  const { objective } = await chosen('base');
  expect(objective).toEqual({ name: 'seq2seq', start: 0, end: 0, room: { source: 6, target: 3 } });
  const measured = await meanfield('eval', at('base'), at('held.jsonl'), '--json');
  expect(measured.code, measured.stderr).toBe(0);
  const result = jsonLines(measured).at(-1)!;
  expect(result).toMatchObject({ objective: 'seq2seq', metric: 'loss', rows: 24 });
  expect(result.loss).toBeLessThan(0.5);
  expect(result.accuracy).toBeGreaterThan(0.8);
}, 240_000);

test.skipIf(!python)(
  "eval's loss is that of T5ForConditionalGeneration, and so is what is written (MEANFIELD_PYTHON)",
  async () => {
    const measured = await meanfield('eval', at('base'), at('held.jsonl'), '--json');
    const { loss, tokens } = jsonLines(measured).at(-1) as { loss: number; tokens: number };
    const { stdout } = await promisify(execFile)(python!, [
      ...['test/hf_check.py', 'seq2seq', at('base', 'model'), at('held.jsonl')],
    ]);
    const theirs = JSON.parse(stdout);
    expect(theirs.tokens).toBe(tokens);
    expect(Math.abs(theirs.loss - loss)).toBeLessThan(1e-4 * theirs.loss);
    const model = await load(at('base'));
    const texts: string[] = [];
    for (const { source } of rows.slice(0, 24)) {
      const { text, stopped } = await model.generate({ prompt: source, temperature: 0, maxTokens: 32 }).result();
      expect(stopped).toBe('end');
      texts.push(text);
    }
    await model.close();
    expect(texts).toEqual(theirs.texts);
  },
  240_000,
);

test('generate reads the prompt as the source, and writes the target alone', async () => {
  const sure = ['generate', at('base'), '--temperature', '0'];
  const [row] = rows.slice(-1);
  const written = await meanfield(...sure, '--prompt', row!.source);
  expect([written.code, written.stderr, written.stdout]).toEqual([0, '', `${row!.target}\n`]);
  const long = await meanfield(...sure, '--prompt', 'one and '.repeat(40), '--json');
  expect(jsonLines(long)[0]).toMatchObject({ type: 'notice', message: expect.stringContaining('the context 32') });
  expect(jsonLines(long).at(-1)).toMatchObject({ prompt_tokens: 32 });
  // By chance, as others write: the same for the same seed.
  const drawn = [
    'generate',
    at('base'),
    '--prompt',
    'one and two',
    '--temperature',
    '3',
    '--top-k',
    '20',
    '--seed',
    '7',
  ];
  expect((await meanfield(...drawn)).stdout).toBe((await meanfield(...drawn)).stdout);
  const chat = await meanfield('generate', at('base'), '--chat', '--prompt', 'Hi');
  expect([chat.code, chat.stderr]).toEqual([2, expect.stringContaining('it holds no conversation. Use generate.')]);
}, 240_000);

test('a run that was stopped and resumed is the run that was not', async () => {
  const options = [...NEW, '--steps', '400', '--replicas', '2', '--checkpoint-every', '200'];
  const stopped = await train('stopped', ...options, '--until-loss', '100');
  expect(jsonLines(stopped).at(-1)).toMatchObject({ type: 'result', step: 100 });
  const resumed = await train('stopped', '--resume', '--until-loss', '0.0001');
  expect(resumed.code, resumed.stderr).toBe(0);
  expect((await weights('stopped')).equals(await weights('base'))).toBe(true);
}, 240_000);

test('goes on from a model by rows of other names, tells what is cut and passed over, and measures held-out rows', async () => {
  await writeFile(
    at('others.jsonl'),
    lines([
      ...rows.slice(0, 40).map(({ source, target }) => ({ input: source, output: target })),
      { text: 'one and '.repeat(30), summary: 'one '.repeat(40) },
      { prompt: 'one', completion: '' },
    ]),
  );
  const trained = await meanfield(
    ...['train', at('others.jsonl'), '--from', at('base'), '--run', at('more'), '--steps', '20', '--batch-size', '4'],
    ...['--eval-file', at('held.jsonl'), '--adapter', 'lora', '--rank', '2', '--context', '16', '--json'],
  );
  expect(trained.code, trained.stderr).toBe(0);
  const told = jsonLines(trained).flatMap(({ type, message }) => (type === 'notice' ? [message] : []));
  expect(told).toContain(
    '1 of 66 rows are longer than the context of 16 tokens: source and target are cut at the end, each to as many.',
  );
  expect(told).toContain('1 of 66 rows are passed over: the target is empty.');
  expect((await chosen('more')).objective.room).toEqual({ source: 16, target: 16 });
  expect(jsonLines(trained).at(-1)).toMatchObject({ objective: 'seq2seq' });
  const measured = await meanfield('eval', at('more'), at('held.jsonl'), '--json');
  expect(jsonLines(measured).at(-1), measured.stderr).toMatchObject({ objective: 'seq2seq', rows: 24 });
}, 240_000);

test('of a text eval tells the spans that are left out of it, under the name of what is learned', async () => {
  await writeFile(at('text.txt'), 'The king is dead, long live the king. '.repeat(200));
  const options = ['--tokenizer', 'bpe', '--vocab', '400', '--steps', '20', '--batch-size', '2', '--json'];
  const trained = await meanfield('train', at('text.txt'), '--run', at('spans'), ...NEW.slice(0, -2), ...options);
  expect(trained.code, trained.stderr).toBe(0);
  expect((await chosen('spans')).objective).toMatchObject({ name: 'seq2seq', corruption: { density: 0.15 } });
  const measured = await meanfield('eval', at('spans'), at('text.txt'), '--json');
  const result = jsonLines(measured).at(-1)!;
  expect(result, measured.stderr).toMatchObject({ objective: 'seq2seq', metric: 'loss', value: result.loss });
}, 240_000);

test('data check shows rows by the model that is to learn them; a row of no known form ends a run with its place', async () => {
  const checked = await meanfield('data', 'check', at('rows.jsonl'), '--from', at('base'), '--show', '1');
  expect(checked.code, checked.stderr).toBe(0);
  expect(checked.stdout).toContain('one and one<|endoftext|>[one one<|endoftext|>]');
  expect(checked.stdout).toContain('100 source and target');
  await writeFile(at('bad.jsonl'), lines([rows[0]!, { source: 'one' }]));
  const bad = await meanfield('train', at('bad.jsonl'), '--from', at('base'), '--run', at('none'));
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/bad\.jsonl:2: expected source with target/)]);
  const both = await meanfield('data', 'check', at('rows.jsonl'), '--from', at('base'), '--objective', 'chat');
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('is a t5 model, which does not learn chat')]);
}, 240_000);
