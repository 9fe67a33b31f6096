import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startTraining } from './train.js';

vi.setConfig({ testTimeout: 60_000 });

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
let book: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-code-'));
  book = (await readFile(source, 'utf8')).slice(0, 6000);
});
afterEach(() => rm(folder, { recursive: true }));

const TINY = { tokenizer: 'chars', layers: 1, width: 16, heads: 2, context: 16, batchSize: 4, threads: 1 } as const;
const at = (name: string) => join(folder, name);
const sized = (steps: number) => ({ ...TINY, steps, evalEvery: 10, syncEvery: 5 });

describe('text from code', () => {
  it('trains like the same text in a file, to the bit, and is not kept', async () => {
    await writeFile(at('book.txt'), book);
    const file = await startTraining({ corpus: [at('book.txt')], run: at('file'), ...sized(10) }).result;
    const text = await startTraining({ text: book, run: at('text'), ...sized(10) }).result;
    expect(text.valLoss).toBe(file.valLoss);
    expect(existsSync(at('text/text.jsonl'))).toBe(false);
    const resumed = await startTraining({ run: at('text'), resume: true, steps: 20 }).result;
    expect(resumed.step).toBe(20);
  });

  it('comes one by one from a generator, each a document', async () => {
    async function* parts() {
      for (let i = 0; i < 30; i++) yield book.slice(200 * i, 200 * (i + 1));
    }
    await startTraining({ text: parts(), run: at('run'), ...sized(5) }).result;
    const { chosen } = JSON.parse(await readFile(at('run/run.json'), 'utf8'));
    expect(chosen).toMatchObject({ text: 'code', data: { documents: 30, bytes: 6000 } });
  });

  it('is asked for again where its tokens are damaged, and must be the same', async () => {
    await startTraining({ text: [book], run: at('run'), ...sized(5) }).result;
    const damage = () => writeFile(at('run/tokens/train-00000.bin'), 'x');
    await damage();
    const resume = { run: at('run'), resume: true, steps: 10 };
    await expect(startTraining(resume).result).rejects.toThrow('Give the same `text` again to resume it');
    await expect(startTraining({ ...resume, text: [`${book}!`] }).result).rejects.toThrow(
      'not what the run was started',
    );
    expect((await startTraining({ ...resume, text: [book] }).result).step).toBe(10);
  });

  it.each([
    [{ text: 5 }, 'Expected `text` to be a string, or strings from an array or a generator, got number.'],
    [{ text: ['a', 5] }, 'Expected `text` to give strings, got number as number 1 of them.'],
    [{ text: 'a', corpus: ['a.txt'] }, 'Give one of `corpus` and `text`, not both.'],
    [{}, 'Expected `corpus`, a list of files and folders of text, or `text`, a string or strings; got neither.'],
    [{ text: book, signal: {} }, 'Expected `signal` to be an AbortSignal'],
  ])('refuses %j', async (options, message) => {
    await expect(startTraining({ run: at('run'), ...options } as never).result).rejects.toThrow(message);
    expect(existsSync(at('run'))).toBe(false);
  });
});

describe('a run that is told to end', () => {
  it('by a signal is saved, and can be resumed with nothing but its folder', async () => {
    const stopping = new AbortController();
    const run = startTraining({ text: book, run: at('run'), signal: stopping.signal, ...sized(5000) });
    for await (const event of run) if (event.type === 'evaluation') stopping.abort();
    const { interrupted, step } = await run.result;
    expect(interrupted).toBe(true);
    expect(step).toBeLessThan(5000);
    const again = startTraining({ run: at('run'), resume: true, signal: AbortSignal.timeout(500) });
    for await (const event of again) if (event.type === 'started') expect(event.step).toBe(step);
    expect((await again.result).interrupted).toBe(true);
  });

  it('before it begins leaves nothing', async () => {
    const run = startTraining({ text: book, run: at('run'), signal: AbortSignal.abort(), ...sized(10) });
    await expect(run.result).rejects.toMatchObject({ name: 'StoppedEarly' });
    expect(existsSync(at('run'))).toBe(false);
  });

  it('by the end of await using has ended there', async () => {
    let result: Promise<{ readonly interrupted: boolean }>;
    {
      await using run = startTraining({ text: book, run: at('run'), ...sized(5000) });
      result = run.result;
      for await (const event of run) if (event.type === 'progress') break;
    }
    expect((await result).interrupted).toBe(true);
    expect(existsSync(at('run/lock'))).toBe(false);
  });
});
