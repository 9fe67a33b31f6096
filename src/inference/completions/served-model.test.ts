import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cosine } from '../../base/cosine.js';
import { MeanfieldError, UsageError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import { writeModelFolder } from '../../hub/model-folder.js';
import { Model } from '../../model/model.js';
import { BusyError, type CompletionRequest, type ServedModel } from './completion.js';
import { asked, smallModel, tokenizer } from './completions.test-support.js';
import { openServedModel } from './served-model.js';

let folder: string;
let place: string;
let served: ServedModel;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-served-'));
  place = join(folder, 'letters');
  const { model, parameters } = smallModel();
  const views = model.layout.views(parameters);
  await writeModelFolder(place, {
    config: model.config as never,
    tensors: model.layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]! })),
    tokenizerFiles: { ...tokenizer.files() },
  });
  served = await openServedModel(place, { threads: 1, maxRunning: 4, maxQueue: 2 });
});
afterAll(async () => {
  await served.close();
  await rm(folder, { recursive: true });
});

const never = new AbortController().signal;
const base = { ignoreEnd: true, maxTokens: 30 };

async function written(request: CompletionRequest, signal = never): Promise<string> {
  let text = '';
  for await (const event of served.complete(request, signal)) if (event.type === 'text') text += event.text;
  return text;
}

describe('a model that is served', () => {
  it('says what it is, and turns texts into tokens and back', async () => {
    expect([served.name, served.context, served.vocabulary]).toEqual(['letters', 256, tokenizer.vocabularySize]);
    expect([...served.tasks]).toEqual(['complete']);
    const ids = await served.encode('Olá', false);
    expect(ids).toEqual([...tokenizer.encode('Olá')]);
    expect(await served.decode(ids)).toBe('Olá');
    expect(Buffer.concat(await served.tokenBytes(ids)).toString()).toBe('Olá');
    const { prompt, stop } = await served.chatPrompt([{ role: 'user', content: 'Hello' }]);
    expect(await served.decode(prompt)).toContain('Hello');
    expect(stop).toEqual(['<|im_end|>']);
  });

  it('turns no more of a text into tokens than tells that it is too long', async () => {
    const long = 'a word and '.repeat(50_000);
    const { prompt } = await served.chatPrompt([{ role: 'user', content: long }], { most: 256 });
    for (const ids of [await served.encode(long, true, 256), prompt]) {
      expect(ids.length).toBeGreaterThan(256);
      expect(ids.length).toBeLessThan(5000);
      expect(long).toContain((await served.decode(ids)).slice(-100));
    }
    expect(await served.encode(long, true)).toHaveLength(tokenizer.encode(long).length);
  });

  it('tells what keys and values take, and lets many works have one signal', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 6 }, () => written(asked([97, 98], base), signal)));
    // More than may run and wait, some of which are refused.
    await Promise.allSettled(Array.from({ length: 12 }, () => written(asked([97, 98], base), signal)));
    await new Promise(setImmediate);
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
    expect(served.load().cacheBytes).toBeGreaterThan(0);
  });

  it('has a model that reads all of a text at once in 8 bits where any fewer are asked for, and says so of 4', async () => {
    const model = Model.create('bert', {
      layers: 1,
      width: 16,
      heads: 2,
      keyValueHeads: 2,
      context: 16,
      vocabulary: 257,
    });
    const views = model.layout.views(model.layout.initialize(new Random(1)));
    const encoder = join(folder, 'encoder');
    await writeModelFolder(encoder, {
      config: model.config as never,
      tensors: model.layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]! })),
      tokenizerFiles: { ...tokenizer.files() },
    });
    const open = (precision: 'fp32' | 'int8' | 'int4') => openServedModel(encoder, { threads: 1, precision });
    const all = await Promise.all([open('fp32'), open('int8'), open('int4')]);
    expect(all.map(({ notices }) => notices!.filter((notice) => notice.includes('is served in')))).toEqual([
      ...[[], []],
      [expect.stringContaining('is served in int8: int4 is for models that continue texts')],
    ]);
    const [a, b, c] = await Promise.all(all.map((each) => each.embed(['Olá'], never)));
    expect(c).toEqual(b);
    expect(b).not.toEqual(a);
    expect(a!.tokens).toBe((await all[0]!.encode('Olá', true)).length);
    expect(cosine(a!.vectors[0]!, b!.vectors[0]!)).toBeGreaterThan(0.999);
    for (const each of all) await each.close();
  });

  it('streams a text in the order prompt, text, end, and the same to all who ask at once', async () => {
    const types: string[] = [];
    for await (const { type } of served.complete(asked([97, 98], base), never)) types.push(type);
    expect([types[0], types.at(-1)]).toEqual(['prompt', 'end']);
    expect(new Set(types.slice(1, -1))).toEqual(new Set(['text']));
    const all = await Promise.all([1, 2, 3, 4].map(() => written(asked([97, 98], base))));
    expect(new Set(all).size).toBe(1);
  });

  it('gives up at once what its signal or its reader gives up, and refuses what has no place in the queue', async () => {
    const stop = new AbortController();
    const long = asked([99], { ...base, maxTokens: 250 });
    // Four run and two wait.
    const all = Promise.allSettled(Array.from({ length: 12 }, () => written(long, stop.signal)));
    await vi.waitFor(() => expect(served.load()).toMatchObject({ running: 4, waiting: 2 }), { interval: 1 });
    stop.abort();
    const reasons = (await all).map((one) => (one.status === 'rejected' ? (one.reason as Error) : undefined));
    expect(reasons.map((reason) => reason?.name).sort()).toEqual([
      ...Array(6).fill('AbortError'),
      ...Array(6).fill('BusyError'),
    ]);
    expect(reasons.find((reason) => reason instanceof BusyError)).toMatchObject({ retrySeconds: expect.any(Number) });
    // A step that has begun goes to its end, which on a busy machine takes more than the second that is waited else.
    await vi.waitFor(() => expect(served.load()).toMatchObject({ running: 0, waiting: 0 }), 5000);
    for await (const { type } of served.complete(long, never)) if (type === 'text') break;
    await vi.waitFor(() => expect(served.load().running).toBe(0));
  });

  it('tells whoever asks what is wrong with a request', async () => {
    await expect(written(asked([]))).rejects.toThrow(UsageError);
    await expect(written(asked([1], { maxTokens: 300 }))).rejects.toThrow(/context is 256/);
    await expect(openServedModel(join(folder, 'nothing'))).rejects.toThrow(MeanfieldError);
  });

  it('leaves the thread of whoever asks free', async () => {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await Promise.all([
      served.encode('x'.repeat(2_000_000), false),
      ...[1, 2, 3].map((i) => written(asked(Array(200).fill(97 + i), { ...base, maxTokens: 50 }))),
    ]);
    delay.disable();
    // The bound of what a machine without other work keeps is 20 ms.
    expect(delay.percentile(50) / 1e6).toBeLessThan(20);
  });

  it('fails what its thread was asked when that ends by itself, and starts another', async () => {
    const workers = new Set<Worker>();
    const post = Worker.prototype.postMessage;
    const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, ...args) {
      workers.add(this);
      return post.apply(this, args);
    });
    await served.encode('a', false);
    const asking = served.chatPrompt([{ role: 'user', content: 'Hello' }]);
    asking.catch(() => {});
    await vi.waitFor(() => expect(workers.size).toBe(1));
    for (const worker of workers) await worker.terminate();
    spy.mockRestore();
    await expect(asking).rejects.toThrow(/The thread of the model ended/);
    expect(await written(asked([97, 98], base))).toBe(await written(asked([97, 98], base)));
  });
});
