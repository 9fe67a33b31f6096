import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonLines, meanfield, program } from './command.js';

const folder = mkdtempSync(join(tmpdir(), 'meanfield-chat-'));
const chats = join(folder, 'chats.jsonl');
const SIZES = [
  '--layers',
  '1',
  '--width',
  '16',
  '--heads',
  '2',
  '--context',
  '48',
  '--batch-size',
  '2',
  '--vocab',
  '300',
];

beforeAll(async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({
    messages: [
      ...(i % 3 === 0 ? [{ role: 'system', content: 'Be brief.' }] : []),
      { role: 'user', content: `What comes after ${i}?` },
      { role: 'assistant', content: `It is ${i + 1}.` },
    ],
  }));
  await writeFile(chats, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});
afterAll(() => rmSync(folder, { recursive: true }));

const train = (run: string, ...options: string[]) =>
  meanfield('train', chats, '--objective', 'chat', '--run', join(folder, run), ...SIZES, ...options, '--json');
const weights = (run: string) => readFileSync(join(folder, run, 'model', 'model.safetensors'));

test('learns conversations from scratch with ChatML, on two replicas, to the bit the same again', async () => {
  const options = ['--steps', '12', '--eval-every', '6', '--replicas', '2', '--sync-every', '3'];
  const whole = await train('whole', ...options);
  expect(whole.code, whole.stderr).toBe(0);
  expect((await train('again', ...options)).code).toBe(0);
  expect(weights('again').equals(weights('whole'))).toBe(true);

  const config = JSON.parse(readFileSync(join(folder, 'whole', 'model', 'tokenizer_config.json'), 'utf8'));
  const template = readFileSync(join(folder, 'whole', 'model', 'chat_template.jinja'), 'utf8');
  expect(config).toMatchObject({ chat_template: template, eos_token: '<|im_end|>' });
  const { added_tokens: tokens } = JSON.parse(readFileSync(join(folder, 'whole', 'model', 'tokenizer.json'), 'utf8'));
  const end = tokens.find(({ content }: { content: string }) => content === '<|im_end|>').id;
  const generation = JSON.parse(readFileSync(join(folder, 'whole', 'model', 'generation_config.json'), 'utf8'));
  expect(generation.eos_token_id).toContain(end);
}, 240_000);

test('answers one message, or lines one after another, and ends at the end of the turn', async () => {
  const options = ['--steps', '500', '--lr', '0.01', '--eval-every', '250', '--width', '32'];
  expect((await train('answers', ...options)).code).toBe(0);
  const say = ['generate', join(folder, 'answers'), '--chat', '--temperature', '0', '--max-tokens', '40'];
  const once = await meanfield(...say, '--prompt', 'What comes after 7?', '--json');
  expect(once.code, once.stderr).toBe(0);
  expect(jsonLines(once).at(-1)).toMatchObject({
    type: 'result',
    text: expect.stringMatching(/^It is \d+\.$/),
    stopped: 'end',
  });
  const { stdout } = spawnSync(process.execPath, [program, ...say], {
    input: 'What comes after 7?\n\nAnd 8?\n',
    encoding: 'utf8',
  });
  expect(stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(stdout).toMatch(/^It is \d+\.\n/);
}, 240_000);

test('goes three times over the rows of a model that exists, two windows a step, and further where it is told', async () => {
  const rest = ['--from', join(folder, 'answers'), '--run', join(folder, 'on'), '--json'];
  const on = (...options: string[]) => meanfield('train', chats, '--objective', 'chat', ...rest, ...options);
  const first = await on();
  expect(first.code, first.stderr).toBe(0);
  const lines = jsonLines(first);
  const { settings } = lines.find(({ type }) => type === 'started') as unknown as { settings: Record<string, number> };
  expect(settings.batchSize ?? settings.batch_size).toBe(2);
  const { step } = lines.at(-1) as { step: number };
  expect(step).toBe(settings.steps);
  // 54 rows or so, of which a window of 48 tokens holds one or two.
  expect(step).toBeGreaterThanOrEqual((3 * 54) / 2 / 2);
  expect(step).toBeLessThanOrEqual((3 * 60) / 2);
  const less = await on('--resume', '--steps', String(step - 1));
  expect([less.code, less.stderr]).toEqual([2, expect.stringMatching(/--steps was .*, now/)]);
  const more = await on('--resume', '--steps', String(step + 2));
  expect(more.code, more.stderr).toBe(0);
  expect(jsonLines(more).at(-1)).toMatchObject({ step: step + 2 });
}, 240_000);

test('is measured on held-out rows by eval as by the run itself', async () => {
  const held = join(folder, 'held.jsonl');
  const messages = (i: number) => [
    { role: 'user', content: `What comes after ${i}?` },
    { role: 'assistant', content: `It is ${i + 1}.` },
  ];
  await writeFile(held, [70, 81, 92].map((i) => `${JSON.stringify({ messages: messages(i) })}\n`).join(''));
  const trained = await train('held', '--steps', '30', '--eval-every', '10', '--eval-file', held);
  expect(trained.code, trained.stderr).toBe(0);
  const { best_val_loss: best } = jsonLines(trained).at(-1) as { best_val_loss: number };
  const measured = await meanfield('eval', join(folder, 'held'), held, '--json');
  expect(measured.code, measured.stderr).toBe(0);
  const result = jsonLines(measured).at(-1) as Record<string, number>;
  expect(result).toMatchObject({ type: 'result', objective: 'chat', metric: 'loss', value: result.loss, rows: 3 });
  expect(Math.abs(result.loss! - best)).toBeLessThan(1e-4);
  expect(result.perplexity).toBeCloseTo(Math.exp(result.loss!), 6);
  const both = await meanfield(
    'train',
    held,
    '--objective',
    'chat',
    '--eval-file',
    held,
    '--run',
    join(folder, 'both'),
  );
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('is to be learned from, too')]);
  const bad = await meanfield('eval', join(folder, 'held'), chats, held, join(folder, 'none.jsonl'));
  expect(bad.code).toBe(1);
}, 240_000);

test('a run that was stopped and resumed is the run that was not', async () => {
  const options = ['--steps', '400', '--eval-every', '100', '--checkpoint-every', '100'];
  expect((await train('through', ...options)).code).toBe(0);
  const stopped = await train('stopped', ...options, '--until-loss', '100');
  expect(jsonLines(stopped).at(-1)).toMatchObject({ type: 'result', step: 100 });
  const resumed = await train('stopped', ...options, '--until-loss', '0.0001', '--resume');
  expect(jsonLines(resumed).at(-1)).toMatchObject({ type: 'result', step: 400 });
  expect(weights('stopped').equals(weights('through'))).toBe(true);
}, 240_000);

test('names the row that is none of the kinds; data check shows rows', async () => {
  const bad = join(folder, 'bad.jsonl');
  await writeFile(bad, '{"messages":[{"role":"user","content":"Hi"}]}\n{"question":"?"}\n');
  const refused = await meanfield('train', bad, '--objective', 'chat', '--run', join(folder, 'bad'), ...SIZES);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`${bad}:2: expected messages`);
  const checked = await meanfield('data', 'check', bad, '--json');
  expect(checked.code).toBe(1);
  expect(jsonLines(checked).at(-1)).toMatchObject({ type: 'result', rows: 2, unusable: 2, forms: { messages: 1 } });
  const sound = await meanfield('data', 'check', chats, '--show', '1');
  expect(sound.code).toBe(0);
  expect(sound.stdout).toContain('<|im_start|>assistant\n[It is 1.<|im_end|>]');
}, 60_000);
