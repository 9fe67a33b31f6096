import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BytesTokenizer } from '../tokenizers/bytes.js';
import { type CheckedRow, checkRows } from './check.js';
import { findTemplate } from './template.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-check-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('shows what is learned of each row, and every fault with its place', async () => {
  const file = join(folder, 'rows.jsonl');
  const turn = (role: string, content: string) => ({ role, content });
  const rows = [
    { messages: [turn('user', 'Hi'), turn('assistant', 'Hello')] },
    { messages: [turn('user', 'Hi')] },
    { messages: [turn('system', 'Be kind.')] },
    { question: 'x' },
    { messages: [turn('user', 'Hi'), turn('assistant', 'Hello')] },
    { messages: [turn('user', 'Hi'), turn('assistant', 'Hello'.repeat(20))] },
    { messages: [turn('user', 'Hi'.repeat(80)), turn('assistant', 'Hello')] },
    { prompt: 'Q', completion: '' },
  ];
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const found: CheckedRow[] = [];
  const tokenizer = new BytesTokenizer();
  for await (const row of checkRows({
    paths: [file],
    template: findTemplate({}),
    tokenizer,
    vocabulary: 256,
    context: 100,
  }))
    found.push(row);
  expect(found.map(({ source }) => source)).toEqual(rows.map((_, i) => `${file}:${i + 1}`));
  expect(found[0]).toMatchObject({ form: 'messages', learned: 15, unusable: false, faults: [] });
  expect(found[0]!.pieces.filter(({ learned }) => learned)).toEqual([{ text: 'Hello<|im_end|>', learned: true }]);
  expect(found.slice(1).map(({ faults, unusable }) => [unusable, ...faults])).toEqual([
    [true, 'nothing is learned: it has no assistant turn'],
    [true, 'nothing is learned: it has only system text'],
    [true, expect.stringMatching(/^expected messages .* it has question$/)],
    [false, `equal to ${file}:1`],
    [false, expect.stringMatching(/^\d+ tokens, more than the context of 100: cut at the end$/)],
    [true, expect.stringMatching(/tokens, more than/), 'nothing is learned: the answer lies beyond the context'],
    [true, 'nothing is learned: the completion is empty'],
  ]);

  const small = checkRows({ paths: [file], template: findTemplate({}), tokenizer, vocabulary: 100, context: 100 });
  const { value } = await small.next();
  expect(value).toMatchObject({
    unusable: true,
    faults: [expect.stringMatching(/does not know token \d+: it has 100/)],
  });
  await small.return(undefined);
});

it('tells of a template that ends turns by nothing', async () => {
  const file = join(folder, 'endless.jsonl');
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
  ];
  await writeFile(file, `${JSON.stringify({ messages })}\n${JSON.stringify({ prompt: 'Hi', completion: 'Hello' })}`);
  const template = findTemplate({
    'chat_template.jinja': '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}',
  });
  const found: CheckedRow[] = [];
  const tokenizer = new BytesTokenizer();
  for await (const row of checkRows({ paths: [file], template, tokenizer, vocabulary: 256, context: 100 }))
    found.push(row);
  expect(found.map(({ unusable, faults }) => [unusable, ...faults])).toEqual([
    [true, expect.stringMatching(/^nothing but blanks ends a turn of the assistant/)],
    [false],
  ]);
});

it('shows sources and what is learned of their targets, and every fault', async () => {
  const file = join(folder, 'sources.jsonl');
  const rows = [
    { source: 'Hi', target: 'Hello' },
    { input: 'Hi', output: 'Hello' },
    { source: 'Hi', target: '' },
    { source: 'x'.repeat(12), target: 'y'.repeat(12) },
    { text: 'Hi' },
  ];
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const found: CheckedRow[] = [];
  const eyes = { template: findTemplate({}), tokenizer: new BytesTokenizer(), vocabulary: 256, context: 10 };
  for await (const row of checkRows({ paths: [file], ...eyes, sourceEnd: 10 })) found.push(row);
  expect(found.map(({ faults, unusable }) => [unusable, ...faults])).toEqual([
    [false],
    [false, `equal to ${file}:1`],
    [true, 'nothing is learned: the target is empty'],
    [
      false,
      'the source has 13 tokens, more than the context of 10: cut at the end',
      'the target has 13 tokens, more than the context of 10: cut at the end',
    ],
    [true, expect.stringMatching(/^expected source with target.* it has text$/)],
  ]);
  expect(found[0]).toMatchObject({ form: 'source and target', tokens: 9, learned: 6 });
  expect(found[0]!.pieces).toEqual([
    { text: 'Hi\n', learned: false },
    { text: 'Hello\n', learned: true },
  ]);
  expect(found[3]!.pieces).toEqual([
    { text: `${'x'.repeat(9)}\n`, learned: false },
    { text: 'y'.repeat(10), learned: true },
  ]);
});
