import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CompletionEvent, CompletionRequest, ServedModel } from '../../inference/completions/completion.js';
import { createServeMetrics } from '../metrics.js';
import { begun, Choices } from './choices.js';

const REQUEST: CompletionRequest = {
  ...{ prompt: [1], maxTokens: 9, seed: 1, client: 'someone' },
  ...{ stop: [], temperature: 1, topK: 0, topP: 1 },
};
const PIECE: CompletionEvent = { type: 'text', text: 'a', tokens: [] };

/** Writes one piece, and then waits until it is given up. */
const model = {
  name: 'slow',
  async *complete(_request: CompletionRequest, signal: AbortSignal) {
    yield PIECE;
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  },
} as unknown as ServedModel;
const choices = () =>
  new Choices(
    model,
    [REQUEST, REQUEST],
    2,
    createServeMetrics(() => ({ models: [], requests: 0 })),
  );

// In a program, each of these is its end.
const unheard: unknown[] = [];
const hear = (reason: unknown) => unheard.push(reason);
beforeEach(() => void process.on('unhandledRejection', hear));
afterEach(() => {
  process.off('unhandledRejection', hear);
  expect(unheard.splice(0)).toEqual([]);
});

const given = new DOMException('The client is gone.', 'AbortError');

it('may be given up while its reader is busy with a piece', async () => {
  const abort = new AbortController();
  const events = choices().events(abort.signal);
  expect((await events.next()).value).toEqual({ index: 0, event: PIECE });
  abort.abort(given);
  await sleep(5);
  await expect(events.next().then(() => events.next())).rejects.toBe(given);
});

it('may be given up when it has begun and nobody reads it yet', async () => {
  const abort = new AbortController();
  const events = await begun(choices().events(abort.signal), 1000);
  abort.abort(given);
  await sleep(5);
  // A generator that was not begun ends without a word to what it reads from.
  await events.return();
  await sleep(5);
});
