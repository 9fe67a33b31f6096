import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonLines, meanfield } from './command.js';

const folder = mkdtempSync(join(tmpdir(), 'meanfield-preference-'));
const at = (name: string) => join(folder, name);
const SIZES = ['--layers', '1', '--width', '32', '--heads', '2', '--context', '96', '--tokenizer', 'bytes'];

beforeAll(async () => {
  const question = (i: number) => `Is ${i} even?`;
  const answer = (i: number) => (i % 2 === 0 ? 'Yes.' : 'No.');
  const [user, assistant] = ['user', 'assistant'].map((role) => (content: string) => ({ role, content })) as [
    (content: string) => object,
    (content: string) => object,
  ];
  const chats = Array.from({ length: 40 }, (_, i) => ({ messages: [user(question(i)), assistant(answer(i))] }));
  const pairs = Array.from({ length: 40 }, (_, i) =>
    i % 2 === 0
      ? { prompt: [user(question(i))], chosen: [assistant('Sure.')], rejected: [assistant(answer(i))] }
      : {
          chosen: [user(question(i)), assistant('Sure.')],
          rejected: [user(question(i)), assistant(answer(i))],
        },
  );
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFile(at('chats.jsonl'), lines(chats));
  await writeFile(at('pairs.jsonl'), lines(pairs));
  const base = await meanfield(
    ...['train', at('chats.jsonl'), '--objective', 'chat', '--run', at('base'), '--steps', '30', '--batch-size', '2'],
    ...SIZES,
  );
  expect(base.code, base.stderr).toBe(0);
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true }));

const train = (run: string, ...options: string[]) =>
  meanfield(
    ...['train', at('pairs.jsonl'), '--from', at('base'), '--run', at(run), '--json', '--batch-size', '2'],
    ...['--lr', '0.001', '--warmup', '2', '--eval-every', '25', ...options],
  );
const chosen = (run: string) => JSON.parse(readFileSync(join(at(run), 'run.json'), 'utf8')).chosen;
const weights = (run: string) => readFileSync(join(at(run), 'model', 'model.safetensors'));

test('pairs are recognised, and the model comes to prefer the answers that were chosen', async () => {
  const trained = await train('whole', '--steps', '50', '--beta', '0.2');
  expect(trained.code, trained.stderr).toBe(0);
  expect(chosen('whole').objective).toEqual({ name: 'preference', beta: 0.2 });
  const evaluations = jsonLines(trained).filter(({ type }) => type === 'evaluation');
  const { val_loss: loss, metrics } = evaluations.at(-1) as Record<string, unknown>;
  expect(loss).toBeLessThan(Math.LN2);
  expect(metrics).toEqual({ reward_accuracy: 1, reward_margin: expect.any(Number) });
  expect(jsonLines(trained).at(-1)).toMatchObject({ type: 'result', objective: 'preference', best_val_loss: loss });
  expect(readdirSync(join(at('whole'), 'tokens'))).toContain('train-reference.f32');
}, 240_000);

test('a run that was stopped and resumed is the run that was not', async () => {
  const options = ['--checkpoint-every', '25'];
  const stopped = await train('stopped', '--steps', '50', '--beta', '0.2', ...options, '--until-loss', '100');
  expect(jsonLines(stopped).at(-1)).toMatchObject({ type: 'result', step: 25 });
  const other = await train('stopped', '--resume', '--beta', '0.3');
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--beta was 0.2, now 0.3')]);
  const resumed = await train('stopped', '--resume', '--until-loss', '0.0001');
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(weights('stopped').equals(weights('whole'))).toBe(true);
}, 240_000);

test('with an adapter the reference is the same step without it', async () => {
  const trained = await train('adapter', '--steps', '20', '--adapter', 'lora', '--rank', '4');
  expect(trained.code, trained.stderr).toBe(0);
  const evaluations = jsonLines(trained).filter(({ type }) => type === 'evaluation');
  expect(evaluations.at(-1)!.val_loss).toBeLessThan(Math.LN2);
  expect(readdirSync(join(at('adapter'), 'tokens')).some((name) => name.includes('reference'))).toBe(false);
}, 240_000);

test('data check shows both sides; what cannot be learned is told', async () => {
  const checked = await meanfield('data', 'check', at('pairs.jsonl'), '--show', '1');
  expect(checked.code, checked.stderr).toBe(0);
  expect(checked.stdout).toContain('[Sure.<|im_end|>]');
  expect(checked.stdout).toMatch(/rejected: \d+ tokens, \d+ learned\n.*[\s\S]*\[Yes\.<\|im_end\|>\]/);
  const sizes = ['--run', at('none'), ...SIZES];
  const without = await meanfield('train', at('pairs.jsonl'), '--objective', 'preference', ...sizes);
  expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('--from')]);
  const chats = await meanfield(
    ...['train', at('chats.jsonl'), '--objective', 'preference', '--from', at('base'), '--run', at('none')],
  );
  expect([chats.code, chats.stderr]).toEqual([
    1,
    expect.stringContaining('chats.jsonl:1: expected chosen with rejected'),
  ]);
}, 240_000);
