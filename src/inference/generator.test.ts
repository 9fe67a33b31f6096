import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { Random } from '../base/random.js';
import { BytesTokenizer, CharsTokenizer, EncodeError } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import { constant, encode } from '../graph/index.js';
import { Model } from '../model/model.js';
import { Generator } from './generator.js';

const engine = new NodeEngine();
const characters = [...'abcdefgh\n'].map((character) => character.codePointAt(0)!);
const tokenizer = new CharsTokenizer(characters);
const model = Model.create('gpt2', {
  layers: 2,
  width: 16,
  heads: 2,
  keyValueHeads: 2,
  context: 12,
  vocabulary: characters.length,
});
const random = new Random(3);
const parameters = Float32Array.from({ length: model.layout.size }, () => random.normal() * 0.4);
const generators: Generator[] = [];

function make(options: Partial<ConstructorParameters<typeof Generator>[0]> = {}) {
  const generator = new Generator({ model, parameters, tokenizer, engine, ...options });
  generators.push(generator);
  return generator;
}

let generator: Generator;
beforeAll(() => {
  generator = make();
});
afterAll(async () => {
  for (const each of generators) await each.dispose();
});

/** The likeliest token after `ids`, by one pass without a cache. */
async function next(ids: readonly number[]): Promise<number> {
  const traced = model.parameterInputs();
  const given = constant(BigInt64Array.from(ids, BigInt), [ids.length]);
  const session = await engine.compile(
    encode({ logits: model.logits(traced, model.hidden(traced, given, 1, ids.length)) }, 'cpu'),
  );
  const { logits } = await session.run(model.layout.views(parameters));
  await session.dispose();
  const last = [...(logits as Float32Array).subarray(-characters.length)];
  return last.indexOf(Math.max(...last));
}

describe('Generator', () => {
  it('writes the greedy text in pieces, going on from the last half when the context is full', async () => {
    const generation = generator.generate({ prompt: 'abc', temperature: 0, maxTokens: 25 });
    const pieces: string[] = [];
    for await (const piece of generation) pieces.push(piece);
    // The context holds 12: it is left after 12, and each 6 after that.
    const ids = [0, 1, 2];
    let start = 0;
    while (ids.length < 28) {
      if (ids.length - start > 12) start = ids.length - 6;
      ids.push(await next(ids.slice(start)));
    }
    expect(pieces.join('')).toBe(tokenizer.decode(ids.slice(3)));
    expect(pieces.length).toBe(25);
    const result = await generation.result();
    expect(result).toMatchObject({ text: pieces.join(''), tokens: 25, promptTokens: 3, stopped: 'length' });
    expect(result.tokensPerSecond).toBeCloseTo(25 / result.seconds);
  });

  it('repeats itself for a seed', async () => {
    const text = async (seed: number) =>
      (await generator.generate({ prompt: 'a', seed, temperature: 2, maxTokens: 30 }).result()).text;
    const first = await text(1);
    expect(first.length).toBe(30);
    expect(await text(1)).toBe(first);
    expect(await text(2)).not.toBe(first);
  });

  it('starts from a line feed without a prompt', async () => {
    const greedy = (prompt: string) => generator.generate({ prompt, temperature: 0, maxTokens: 5 }).result();
    expect((await greedy('')).text).toBe((await greedy('\n')).text);
    expect((await greedy('')).promptTokens).toBe(1);
  });

  it('keeps the end of a long prompt and says so', async () => {
    const greedy = (prompt: string) => generator.generate({ prompt, temperature: 0, maxTokens: 5 });
    const long = greedy(`${'h'.repeat(50)}abcdefghabc`);
    expect(long.notices).toEqual(['The prompt has 61 tokens and the context 12: the last 11 are used.']);
    const exact = greedy('abcdefghabc');
    expect(exact.notices).toEqual([]);
    expect((await long.result()).text).toBe((await exact.result()).text);
  });

  it('stops at the end of a text, which is not written, unless told to go on', async () => {
    const { text } = await generator.generate({ prompt: 'abc', temperature: 0, maxTokens: 25 }).result();
    const end = tokenizer.encode(text.at(-1)!)[0]!;
    const ending = make({ generationConfig: { eos_token_id: end } });
    const options = { prompt: 'abc', temperature: 0, maxTokens: 25 };
    const result = await ending.generate(options).result();
    const at = text.indexOf(text.at(-1)!);
    expect(result).toMatchObject({ text: text.slice(0, at), tokens: at + 1, stopped: 'end' });
    expect((await ending.generate({ ...options, stopAtEnd: false }).result()).text).toBe(text);
  });

  it('lets others have their turn and stops on a signal', async () => {
    const controller = new AbortController();
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const generation = generator.generate({ prompt: 'a', maxTokens: 10_000, signal: controller.signal });
    let pieces = 0;
    for await (const _ of generation) if (++pieces === 40) controller.abort();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
    expect(await generation.result()).toMatchObject({ tokens: 40, stopped: 'interrupted' });
  });

  it('serves several, one after another, in the order in which they were begun', async () => {
    const options = (seed: number) => ({ prompt: 'a', maxTokens: 20, temperature: 2, seed });
    const alone: string[] = [];
    for (const seed of [1, 2, 3]) alone.push((await generator.generate(options(seed)).result()).text);
    const ended: number[] = [];
    const together = [1, 2, 3].map(async (seed) => {
      const { text } = await generator.generate({ ...options(seed), maxTokens: 20 }).result();
      ended.push(seed);
      return text;
    });
    expect(await Promise.all(together)).toEqual(alone);
    expect(ended).toEqual([1, 2, 3]);
  });

  it('serves one that is asked for while another is read', async () => {
    const first = generator.generate({ prompt: 'a', maxTokens: 6 });
    const lengths: number[] = [];
    for await (const _ of first) {
      lengths.push((await generator.generate({ prompt: 'b', maxTokens: 2 }).result()).tokens);
    }
    expect(lengths).toEqual([2, 2, 2, 2, 2, 2]);
    expect((await first.result()).tokens).toBe(6);
  });

  it('is free for the next when a reader goes away, or one that waits gives up', async () => {
    const first = generator.generate({ prompt: 'a', maxTokens: 10_000 });
    const leaving = new AbortController();
    const second = generator.generate({ prompt: 'a', signal: leaving.signal });
    const third = generator.generate({ prompt: 'a', maxTokens: 2 });
    const results: Promise<unknown>[] = [];
    for await (const _ of first) {
      results.push(second.result(), third.result());
      leaving.abort();
      expect(await second.result()).toMatchObject({ text: '', tokens: 0, tokensPerSecond: 0, stopped: 'interrupted' });
      break;
    }
    expect((await first.result()).stopped).toBe('interrupted');
    expect((await third.result()).tokens).toBe(2);
    await Promise.all(results);
    const never = generator.generate({ prompt: 'a', signal: AbortSignal.abort() });
    expect((await never.result()).stopped).toBe('interrupted');
  });

  it('fails what is written and what waits when it is disposed of, and all that comes later', async () => {
    const own = make();
    const running = own.generate({ prompt: 'a', maxTokens: 10_000 });
    let pieces = 0;
    const reading = (async () => {
      for await (const _ of running) if (++pieces === 3) await own.dispose();
    })();
    const waiting = own.generate({ prompt: 'a' }).result();
    await expect(waiting).rejects.toThrow(MeanfieldError);
    await expect(reading).rejects.toThrow('The model was closed before this text was written');
    await expect(running.result()).rejects.toThrow(MeanfieldError);
    await expect(own.generate({ prompt: 'a' }).result()).rejects.toThrow('closed');
    await own.dispose();
  });

  it('writes nothing when asked for no token', async () => {
    expect(await generator.generate({ maxTokens: 0 }).result()).toMatchObject({ text: '', tokens: 0 });
  });

  it('refuses wrong options, unknown characters and a tokenizer of another model', () => {
    expect(() => generator.generate({ temperature: -1 })).toThrow(UsageError);
    expect(() => generator.generate({ prompt: 'abz' })).toThrow(EncodeError);
    const foreign = make({ tokenizer: new BytesTokenizer() });
    expect(() => foreign.generate({ prompt: 'a' })).toThrow('id 97, but the model knows 9 tokens');
  });

  it('tells of weights that are no numbers', async () => {
    const broken = make({ parameters: new Float32Array(model.layout.size).fill(Number.NaN) });
    await expect(broken.generate({ prompt: 'a' }).result()).rejects.toThrow('weights are not usable');
  });
});
