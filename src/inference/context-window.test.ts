import { describe, expect, it } from 'vitest';
import { ContextWindow } from './context-window.js';
import type { Decoder } from './decoder.js';

/** A decoder that takes 4 tokens a step and gives back what it has seen since it was cleared. */
function recorder(context: number) {
  let seen: number[] = [];
  const decoder = {
    context,
    turn: context,
    get length() {
      return seen.length;
    },
    clear: () => {
      seen = [];
    },
    step: async (ids: ArrayLike<number>) => {
      const piece = Array.from(ids).slice(0, 4);
      seen = [...seen, ...piece];
      if (seen.length > context) throw new Error('beyond the context');
      return { taken: piece.length, logits: Float32Array.from(seen) };
    },
  };
  return decoder as unknown as Decoder;
}

const upTo = (n: number, from = 0) => Array.from({ length: n - from }, (_, i) => from + i);

describe('ContextWindow', () => {
  it('reads a prompt in steps and then what is new', async () => {
    const window = new ContextWindow(recorder(10));
    expect([...(await window.read(upTo(7)))!]).toEqual(upTo(7));
    expect([...(await window.read(upTo(8)))!]).toEqual(upTo(8));
    expect([...(await window.read(upTo(10)))!]).toEqual(upTo(10));
  });

  it('goes on from the last half of the context when it is full', async () => {
    const window = new ContextWindow(recorder(10));
    for (let n = 1; n <= 30; n++) {
      const start = n <= 10 ? 0 : 6 * Math.ceil((n - 10) / 6);
      const seen = [...(await window.read(upTo(n)))!];
      expect(seen.at(-1)).toBe(n - 1);
      expect(seen).toEqual(upTo(n, start));
    }
  });

  it('works with a context of one token', async () => {
    const window = new ContextWindow(recorder(1));
    for (const n of [1, 2, 3]) expect([...(await window.read(upTo(n)))!]).toEqual([n - 1]);
  });

  it('stops between two steps of a prompt', async () => {
    const controller = new AbortController();
    const decoder = recorder(20);
    const reading = new ContextWindow(decoder).read(upTo(12), controller.signal);
    setImmediate(() => controller.abort());
    expect(await reading).toBeUndefined();
    expect(decoder.length).toBeLessThan(12);
  });
});
