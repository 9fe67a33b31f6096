import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { type LanguageModel, load, train } from '../index.js';

let folder: string;
let model: LanguageModel;
const text = 'the quick brown fox jumps over the lazy dog. '.repeat(90);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-load-'));
  await writeFile(join(folder, 'book.txt'), text);
  const sizes = { model: 'gpt2', layers: 1, width: 16, heads: 2, context: 8, tokenizer: 'bytes' } as const;
  const run = train({
    corpus: [join(folder, 'book.txt')],
    run: join(folder, 'run'),
    ...sizes,
    batchSize: 8,
    steps: 400,
    threads: 1,
  });
  await run.result;
  model = await load(join(folder, 'run'), { threads: 1 });
}, 60_000);
afterAll(async () => {
  await model?.close();
  await rm(folder, { recursive: true });
});

test('a model is loaded with its sizes', () => {
  expect(model.context).toBe(8);
  // Embeddings of 256 bytes and 8 positions, one block, the last norm; the head is tied.
  expect(model.parameters).toBe(16 * (256 + 8) + (12 * 16 * 16 + 13 * 16) + 2 * 16);
});

test('it writes what it has learned, the same text for the same seed', async () => {
  const write = async (seed: number) => (await model.generate({ prompt: 'the ', maxTokens: 40, seed }).result()).text;
  const first = await write(1);
  expect(first.length).toBe(40);
  expect(await write(1)).toBe(first);
  expect(await write(2)).not.toBe(first);
  let pieces = '';
  for await (const piece of model.generate({ prompt: 'the ', maxTokens: 40, seed: 1 })) pieces += piece;
  expect(pieces).toBe(first);
});

test('it is measured on files, all together', async () => {
  await writeFile(join(folder, 'one.txt'), text.slice(0, 100));
  await writeFile(join(folder, 'two.txt'), text.slice(0, 300));
  const one = await model.evaluate([join(folder, 'one.txt')]);
  const two = await model.evaluate([join(folder, 'two.txt')]);
  const both = await model.evaluate([join(folder, 'one.txt'), join(folder, 'two.txt')]);
  expect(one.tokens).toBe(99);
  expect(both.tokens).toBe(99 + 299);
  expect(both.loss).toBeCloseTo((99 * one.loss + 299 * two.loss) / both.tokens, 6);
  // Untrained it would be ln 256 = 5.5.
  expect(both.loss).toBeLessThan(2.5);
  expect(both.perplexity).toBeCloseTo(Math.exp(both.loss), 6);
});

test('a model of masked tokens is measured by them, and does not write', async () => {
  const run = join(folder, 'masked');
  const bert = { model: 'bert', objective: 'masked', layers: 1, width: 16, heads: 2, context: 8 } as const;
  const corpus = [join(folder, 'book.txt')];
  await train({ corpus, run, ...bert, tokenizer: 'bytes', batchSize: 8, steps: 150, threads: 1 }).result;
  const masked = await load(run, { threads: 1 });
  try {
    const { loss, perplexity, accuracy, tokens, bitsPerByte } = await masked.evaluate(corpus);
    expect(tokens).toBeGreaterThan(0.1 * text.length);
    expect(tokens).toBeLessThan(0.2 * text.length);
    expect(loss).toBeLessThan(3.3);
    expect(perplexity).toBeCloseTo(Math.exp(loss), 6);
    expect(accuracy).toBeGreaterThan(0.1);
    expect(bitsPerByte).toBeUndefined();
    expect(() => masked.generate()).toThrow(/does not write/);
  } finally {
    await masked.close();
  }
});

test('what cannot be read is told by name', async () => {
  await expect(model.evaluate([join(folder, 'missing.txt')])).rejects.toThrow(/no file or folder .*missing\.txt/);
  await expect(load(join(folder, 'nowhere'))).rejects.toBeInstanceOf(MeanfieldError);
});

test('requests queue, and each gives what it gives alone', async () => {
  const write = (seed: number) => model.generate({ prompt: 'the ', maxTokens: 20, seed }).result();
  const alone = [(await write(1)).text, (await write(2)).text];
  const file = join(folder, 'one.txt');
  const figures = await model.evaluate([file]);
  const [first, second, ...evaluations] = await Promise.all([
    ...[write(1), write(2)],
    ...[model.evaluate([file]), model.evaluate([file])],
  ] as const);
  expect([first.text, second.text]).toEqual(alone);
  expect(evaluations).toEqual([figures, figures]);
});

test('what load and its model cannot be given is refused as a usage error', async () => {
  const refused = async (call: () => unknown) => {
    const error = await (async () => call())().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  };
  const run = join(folder, 'run');
  expect(await refused(() => load(undefined as never))).toContain('expected the folder of a run or a model');
  expect(await refused(() => load(run, { threads: 1.5 }))).toContain(
    '`threads` expected int, received number, got 1.5',
  );
  expect(await refused(() => load(run, { thread: 1 } as never))).toContain(
    'Unrecognized key: "thread", got {"thread":1}. Options: `threads`, `device`, `precision`, `memory`.',
  );
  expect(await refused(() => load(run, { device: 'tpu' as never }))).toContain(
    '`device` expected one of "cpu"|"webgpu"|"cuda"|"auto", got "tpu"',
  );
  expect(await refused(() => model.evaluate(join(folder, 'one.txt') as never))).toContain('expected a list of files');
  expect(await refused(() => model.evaluate([join(folder, 'one.txt')], { field: '' }))).toContain('`field`');
  expect(await refused(() => model.evaluate([], { fields: 'x' } as never))).toContain(
    'Options: `field`, `stride`, `signal`',
  );
  expect(await refused(() => model.evaluate([], { progress: 1 as never }))).toContain('`progress` expected a function');
  expect(await refused(() => model.generate({ topP: 7 }))).toContain('`topP`');
});

test('a model computes where it is told to, and is closed at the end of await using', async () => {
  let left: LanguageModel;
  {
    await using own = await load(join(folder, 'run'), { threads: 1, device: 'cpu' });
    left = own;
    expect((await own.generate({ maxTokens: 5 }).result()).text).not.toBe('');
  }
  expect(() => left.generate()).toThrow('The model is closed.');
});

test('a model that is closed says so, to what it was doing too', async () => {
  const own = await load(join(folder, 'run'), { threads: 1 });
  const writing = own.generate({ maxTokens: 100_000 }).result();
  const waiting = own.generate().result();
  await writeFile(join(folder, 'long.txt'), text.repeat(20));
  const measuring = own.evaluate([join(folder, 'long.txt')]);
  const outcomes = Promise.allSettled([writing, waiting, measuring]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await own.close();
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(MeanfieldError) });
  }
  expect(() => own.generate()).toThrow('The model is closed. Load it again');
  await expect(own.evaluate([])).rejects.toThrow(MeanfieldError);
  await own.close();
});

test.each(['int8', 'int4'] as const)(
  'in %s it writes and is measured, and does nothing that needs all bits',
  async (precision) => {
    await using small = await load(join(folder, 'run'), { threads: 1, precision });
    const write = async () => (await small.generate({ prompt: 'the ', maxTokens: 40, temperature: 0 }).result()).text;
    const written = await write();
    expect(await write()).toBe(written);
    expect(written).toBe((await model.generate({ prompt: 'the ', maxTokens: 40, temperature: 0 }).result()).text);
    const files = [join(folder, 'book.txt')];
    const [few, all] = [await small.evaluate(files), await model.evaluate(files)];
    expect(few.tokens).toBe(all.tokens);
    expect(few.loss).not.toBe(all.loss);
    expect(Math.abs(few.loss / all.loss - 1)).toBeLessThan(precision === 'int8' ? 0.02 : 0.3);
    await expect(small.embed(['a'])).rejects.toThrow(
      `Vectors are made in single precision, and this model was loaded in ${precision}`,
    );
    await expect(small.withAdapter('x')).rejects.toThrow(UsageError);
    await writeFile(
      join(folder, 'chat.jsonl'),
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}',
    );
    await expect(small.evaluateConversations([join(folder, 'chat.jsonl')])).rejects.toThrow('Rows of conversations');
    await expect(load(join(folder, 'run'), { precision: 'int2' as 'int8' })).rejects.toThrow('precision');
  },
);
