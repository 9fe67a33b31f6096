import { afterAll, expect, it } from 'vitest';
import { Decoder } from '../decoder.js';
import { Completions } from './completions.js';
import { ask, asked, engine, finish, open, smallModel, tokenizer } from './completions.test-support.js';
import { OneSequence } from './one-sequence.js';

const { model, parameters } = smallModel();
const sequences = new OneSequence(new Decoder({ model, parameters, engine }));
const many = open();
afterAll(async () => {
  await sequences.dispose();
  await many.sequences.dispose();
});

it('writes one text after another as those that are written side by side', async () => {
  const one = new Completions({
    ...{ sequences, tokenizer, vocabulary: tokenizer.vocabularySize, end: new Set<number>(), keptTokens: 0 },
    limits: { running: 1, waiting: 10, fits: () => true, pieceMs: 5 },
    timeLimit: 60_000,
  });
  const requests = [40, 3, 1].map((length, i) => asked(Array(length).fill(97 + i), { promptLogprobs: i === 1 }));
  const alone = requests.map((request) => ask(one, request));
  const together = requests.map((request) => ask(many.completions, request));
  await finish(one);
  await finish(many.completions);
  for (const [i, { text, error, events }] of alone.entries()) {
    expect(error).toBeUndefined();
    expect(text).toBe(together[i]!.text);
    expect(events.at(-1)).toEqual(together[i]!.events.at(-1));
  }
  expect(alone[1]!.events[0]).toMatchObject({ type: 'prompt', scored: [{ id: 98 }, { id: 98 }, { id: 98 }] });
});
