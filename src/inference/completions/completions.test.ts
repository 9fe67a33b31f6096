import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import { largest, withoutCache } from '../decoder.test-support.js';
import { ask, asked, engine, finish, open, tokenizer } from './completions.test-support.js';

const cleanups: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

function start(options?: Parameters<typeof open>[0]) {
  const opened = open(options);
  cleanups.push(() => opened.sequences.dispose());
  return opened;
}

const random = new Random(11);
const someIds = (length: number) => Array.from({ length }, () => 97 + random.below(26));
const topOfAll = { topLogprobs: 0 };

describe('Completions', () => {
  it('writes what one pass without a cache finds likeliest, token by token', async () => {
    const { completions, model, parameters } = start();
    const prompt = someIds(70);
    const told = ask(completions, asked(prompt, { maxTokens: 12, ...topOfAll }));
    await finish(completions);
    const all = [...prompt];
    const V = model.dimensions.vocabulary;
    for (const { id, logprob } of told.tokens) {
      const logits = (await withoutCache(engine, model, parameters, all)).subarray(-V);
      expect(id).toBe(largest(logits));
      const sum = logits.reduce((total, score) => total + Math.exp(score), 0);
      expect(logprob).toBeCloseTo(logits[id]! - Math.log(sum), 3);
      all.push(id);
    }
    expect(told.events.at(-1)).toEqual({ type: 'end', reason: 'length', tokens: 12 });
  });

  it('gives 200 requests that come, go and share beginnings what each alone is given', async () => {
    const alone = start({ running: 1, keptTokens: 0 });
    // Room for fewer than run: some have to give theirs up.
    const { completions } = start({ running: 8, slots: 4 * 128, keptTokens: 256 });
    const shared = [someIds(90), someIds(40), someIds(33)];
    const requests = Array.from({ length: 200 }, () => {
      const before = random.below(3) === 0 ? [] : shared[random.below(3)]!;
      const prompt = [...before.slice(0, 1 + random.below(before.length || 1)), ...someIds(1 + random.below(50))];
      const stop = random.below(4) === 0 ? [String.fromCharCode(97 + random.below(26))] : [];
      return asked(prompt, { maxTokens: 1 + random.below(40), stop, client: `${random.below(5)}`, ...topOfAll });
    });
    const expected: string[] = [];
    for (const request of requests) {
      const told = ask(alone.completions, request);
      await finish(alone.completions);
      expect(told.error).toBeUndefined();
      expected.push(JSON.stringify([told.text, told.tokens.map(({ id }) => id), told.events.at(-1)]));
    }
    const cancelled = new Set<number>();
    const all = [];
    for (const [i, request] of requests.entries()) {
      all.push(ask(completions, request));
      for (let steps = random.below(4); steps > 0; steps--) await completions.step();
      if (random.below(5) > 0) continue;
      const given = random.below(i + 1);
      if (all[given]!.ended) continue;
      completions.cancel(all[given]!.id);
      cancelled.add(given);
    }
    await finish(completions);
    for (const [i, told] of all.entries()) {
      expect(told.ended).toBe(true);
      if (cancelled.has(i)) expect((told.error as Error).name).toBe('AbortError');
      else expect(JSON.stringify([told.text, told.tokens.map(({ id }) => id), told.events.at(-1)])).toBe(expected[i]);
    }
    expect(cancelled.size).toBeGreaterThan(10);
    expect(completions.load).toMatchObject({ running: 0, waiting: 0 });
    expect(completions.load.cachedTokens).toBeLessThanOrEqual(256);
  });

  it('reads a beginning once, though requests for it come together', async () => {
    const { completions } = start();
    const prompt = someIds(128);
    const all = [1, 2, 3, 4].map((seed) => ask(completions, asked(prompt, { seed, temperature: 1, maxTokens: 4 })));
    await finish(completions);
    const cached = all.map(({ events }) => (events[0] as { cached: number }).cached);
    // A block is 32 tokens; the last token is always computed. 384 would be all but one reading.
    expect(cached.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(3 * 96);
    const again = ask(completions, asked([...prompt, 1]));
    await finish(completions);
    expect(again.events[0]).toEqual({ type: 'prompt', tokens: 129, cached: 128 });
  });

  it('writes the same by the same seed, whoever is beside it', async () => {
    const { completions } = start();
    const request = asked(someIds(20), { temperature: 1, topP: 0.9, topK: 40, seed: 9, maxTokens: 30 });
    const first = ask(completions, request);
    await finish(completions);
    const others = Array.from({ length: 5 }, (_, seed) =>
      ask(completions, asked(someIds(30), { temperature: 1, seed })),
    );
    const second = ask(completions, request);
    await finish(completions);
    expect(second.text).toBe(first.text);
    expect(new Set(others.map(({ text }) => text)).size).toBe(5);
  });

  it('tells the scores of the prompt with the likeliest in each place', async () => {
    const { completions, model, parameters } = start();
    const prompt = someIds(50);
    const told = ask(completions, asked(prompt, { maxTokens: 0, promptLogprobs: true, topLogprobs: 3 }));
    await finish(completions);
    const [event, end] = told.events;
    expect(end).toEqual({ type: 'end', reason: 'length', tokens: 0 });
    const scored = event?.type === 'prompt' ? event.scored! : [];
    expect(scored.map(({ id }) => id)).toEqual(prompt);
    expect(scored[0]).toEqual({ id: prompt[0], logprob: null, top: [] });
    const V = model.dimensions.vocabulary;
    const logits = await withoutCache(engine, model, parameters, prompt);
    for (let i = 1; i < prompt.length; i++) {
      const row = logits.subarray((i - 1) * V, i * V);
      const sum = row.reduce((total, score) => total + Math.exp(score), 0);
      expect(scored[i]!.logprob).toBeCloseTo(row[prompt[i]!]! - Math.log(sum), 3);
      expect(scored[i]!.top[0]!.id).toBe(largest(row));
      expect(scored[i]!.top).toHaveLength(3);
    }
  });

  it('adds what is asked for to scores before it chooses', async () => {
    const { completions } = start();
    const prompt = someIds(10);
    const biased = ask(completions, asked(prompt, { logitBias: new Map([[120, 1000]]), maxTokens: 5 }));
    const plain = ask(completions, asked(prompt, { maxTokens: 40, ...topOfAll }));
    const varied = ask(completions, asked(prompt, { maxTokens: 40, presencePenalty: 1000, ...topOfAll }));
    await finish(completions);
    expect(biased.text).toBe('xxxxx');
    expect(new Set(varied.tokens.map(({ id }) => id)).size).toBe(40);
    expect(new Set(plain.tokens.map(({ id }) => id)).size).toBeLessThan(40);
    // What is told is the model's own score.
    expect(varied.tokens[0]).toEqual(plain.tokens[0]);
  });

  it('refuses what is no request, and fails what takes too long', async () => {
    let now = 0;
    const { completions } = start({ timeLimit: 1000, now: () => now });
    expect(() => ask(completions, asked([]))).toThrow(UsageError);
    expect(() => ask(completions, asked([1, 100_000]))).toThrow(/knows those from 0 to/);
    expect(() => ask(completions, asked(someIds(250)))).toThrow(/context is 256/);
    expect(() => ask(completions, asked([1], { constraint: { kind: 'json' } }))).toThrow(/held to a json/);
    const told = ask(completions, asked(someIds(10)));
    await completions.step();
    now = 1001;
    await completions.step();
    expect(String(told.error)).toMatch(/not written within 1 s/);
    expect(completions.idle).toBe(true);
  });

  it('ends at a stop string that tokens complete, and holds half characters back', async () => {
    const { completions } = start();
    const euro = [...tokenizer.encode('€')];
    // Whatever is chosen is one of the three bytes of €: what they make is often no character.
    const logitBias = new Map(euro.map((id) => [id, 1000]));
    const told = ask(completions, asked(someIds(5), { logitBias, temperature: 1, maxTokens: 60, ...topOfAll }));
    await finish(completions);
    const bytes = tokenizer.decodeBytes(told.tokens.map(({ id }) => id));
    expect(told.text).toBe(new TextDecoder().decode(bytes));
    expect(told.text).toMatch(/[^\ufffd]/);
    expect(told.events.filter(({ type }) => type === 'text').length).toBeLessThan(60);
    const stopped = ask(completions, asked(someIds(5), { logitBias: new Map([[120, 1000]]), stop: ['xxx'] }));
    await finish(completions);
    expect(stopped.text).toBe('');
    expect(stopped.events.at(-1)).toEqual({ type: 'end', reason: 'stop', tokens: 3 });
  });
});
