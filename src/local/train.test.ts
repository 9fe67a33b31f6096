import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { startTraining } from './train.js';

// What trains is tested in processes of its own, in test/train.test.ts.

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-start-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('fails through the result and through the iteration alike', async () => {
  const training = startTraining({ corpus: [join(folder, 'none.txt')], run: join(folder, 'run') });
  const read = (async () => {
    for await (const event of training) expect(event.type).not.toBe('started');
  })();
  await expect(training.result).rejects.toThrow('none.txt');
  await expect(read).rejects.toThrow('none.txt');
  expect(existsSync(join(folder, 'run'))).toBe(false);
});

it('fails in the iteration though no one takes the result', async () => {
  const read = async () => {
    for await (const _ of startTraining({ corpus: ['a'], batchSize: 0 }));
  };
  await expect(read()).rejects.toThrow('`batchSize`');
  await expect(read()).rejects.toBeInstanceOf(UsageError);
});

it('lets the same command be given again after a text that was too short', async () => {
  const corpus = [join(folder, 'short.txt')];
  await writeFile(corpus[0]!, 'too short');
  for (let i = 0; i < 2; i++) {
    const { result } = startTraining({ corpus, run: join(folder, 'run'), tokenizer: 'chars' });
    await expect(result).rejects.toThrow('needs at least 65');
  }
});

it('takes what is no object of options for wrong usage', async () => {
  for (const options of [undefined, null, 'book.txt', []]) {
    await expect(startTraining(options as never).result).rejects.toThrow(UsageError);
  }
});

it('is heard of when it fails and nobody waits for it', async () => {
  const heard: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (error) => heard.push(error));
  try {
    startTraining({ corpus: ['a'], batchSize: 0 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const read = async () => {
      for await (const _ of startTraining({ corpus: ['a'], batchSize: 0 }));
    };
    await read().catch(() => {});
    await startTraining({ corpus: ['a'], batchSize: 0 }).result.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
  expect(heard).toEqual([expect.any(UsageError)]);
});
