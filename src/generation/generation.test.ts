import { describe, expect, it } from 'vitest';
import { BytesTokenizer } from '../data/index.js';
import type { Decoder } from './decoder.js';
import { Generation } from './generation.js';
import { resolveOptions } from './options.js';

/** A generation by a model that is sure of what comes: these bytes, one a step. */
function dictated(bytes: Uint8Array, options: { maxTokens?: number; end?: number } = {}) {
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
    options: resolveOptions({ temperature: 0, maxTokens: options.maxTokens ?? bytes.length }),
    prompt: [0],
    notices: [],
    tokenizer: new BytesTokenizer(),
    vocabulary: 256,
    end: new Set(options.end === undefined ? [] : [options.end]),
    signal: undefined,
    acquire: () => ({ decoder, release: () => released++ }),
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

  it('passes an error on and lets go of the decoder', async () => {
    const { generation, released } = dictated(bytes('ab'), { maxTokens: 3 });
    await expect(generation.result()).rejects.toThrow('out of paper');
    expect(released()).toBe(1);
  });
});
