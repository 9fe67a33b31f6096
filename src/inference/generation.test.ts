import { describe, expect, it } from 'vitest';
import { UsageError } from '../base/errors.js';
import { BytesTokenizer } from '../data/index.js';
import type { Decoder } from './decoder.js';
import { Generation } from './generation.js';
import { resolveOptions } from './options.js';

/** A generation by a model that is sure of what comes: these bytes, one a step. */
function dictated(bytes: Uint8Array, options: { maxTokens?: number; end?: number; stop?: string[] } = {}) {
  let released = 0;
  let next = 0;
  const decoder = {
    context: 1000,
    length: 0,
    step: async (ids: ArrayLike<number>) => {
      const logits = new Float32Array(256);
      if (next === bytes.length) throw new Error('out of paper');
      logits[bytes[next++]!] = 1;
      return { taken: ids.length, logits };
    },
  } as unknown as Decoder;
  const generation = new Generation({
    options: resolveOptions({ temperature: 0, maxTokens: options.maxTokens ?? bytes.length, stop: options.stop }),
    prompt: [0],
    notices: [],
    tokenizer: new BytesTokenizer(),
    vocabulary: 256,
    end: new Set(options.end === undefined ? [] : [options.end]),
    acquire: async () => ({ decoder, release: () => released++ }),
  });
  return { generation, released: () => released };
}

async function pieces(generation: Generation): Promise<string[]> {
  const list: string[] = [];
  for await (const piece of generation) list.push(piece);
  return list;
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('Generation', () => {
  it('holds a character back until it is whole', async () => {
    const { generation, released } = dictated(bytes('aé€😀b'));
    expect(await pieces(generation)).toEqual(['a', 'é', '€', '😀', 'b']);
    expect(await generation.result()).toMatchObject({ text: 'aé€😀b', tokens: 11, stopped: 'length' });
    expect(released()).toBe(1);
  });

  it('shows a character that stays half', async () => {
    const { generation } = dictated(bytes('a€').subarray(0, 3));
    expect(await pieces(generation)).toEqual(['a', '\ufffd']);
    expect((await generation.result()).text).toBe('a\ufffd');
  });

  it('counts the token that ends the text and does not write it', async () => {
    const { generation } = dictated(bytes('ab.cd'), { end: 46 });
    expect(await generation.result()).toMatchObject({ text: 'ab', tokens: 3, promptTokens: 1, stopped: 'end' });
  });

  it('stops before a text that it was told, across tokens, and shows none of it', async () => {
    const { generation, released } = dictated(bytes('ab€nd. EN€ND more'), { stop: ['€ND', 'more'] });
    expect((await pieces(generation)).join('')).toBe('ab€nd. EN');
    // The three bytes of € and two letters ended it.
    expect(await generation.result()).toMatchObject({ text: 'ab€nd. EN', tokens: 16, stopped: 'stop' });
    expect(released()).toBe(1);
    const half = dictated(bytes('ab EN'), { stop: ['END'] });
    expect(await pieces(half.generation)).toEqual(['a', 'b', ' ', 'EN']);
  });

  it('goes on for a reader that is slow, and stops for one that leaves', async () => {
    const slow = dictated(bytes('abcdef'));
    for await (const piece of slow.generation) {
      if (piece === 'a') expect((await slow.generation.result()).text).toBe('abcdef');
    }
    expect(slow.released()).toBe(1);
    const left = dictated(bytes('abcdef'));
    for await (const piece of left.generation) if (piece === 'b') break;
    expect(await left.generation.result()).toMatchObject({ text: 'ab', tokens: 2, stopped: 'interrupted' });
    expect(() => left.generation[Symbol.asyncIterator]()).toThrow(UsageError);
  });

  it('passes an error on and lets go of the decoder', async () => {
    const { generation, released } = dictated(bytes('ab'), { maxTokens: 3 });
    await expect(pieces(generation)).rejects.toThrow('out of paper');
    await expect(generation.result()).rejects.toThrow('out of paper');
    expect(released()).toBe(1);
  });
});
