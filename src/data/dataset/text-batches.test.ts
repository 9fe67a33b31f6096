import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DocumentPiece } from '../corpus/types.js';
import { lastWordCut } from '../tokenizers/pretokenize.js';
import { EncodeError } from '../tokenizers/tokenizer.js';
import { lastCharacterCut } from '../tokenizers/utf8.js';
import { forEachSegment, type TextBatch, TextBatcher } from './text-batches.js';

function batch(pieces: DocumentPiece[], target: number, cut = lastWordCut): TextBatch[] {
  const batcher = new TextBatcher(cut, target);
  return [...pieces.map((piece) => batcher.add(piece)), batcher.flush()].filter((batch) => batch !== undefined);
}

/** The documents of batches put together again, a character a byte; checks where each part says it lies. */
function documents(batches: TextBatch[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const one of batches) {
    forEachSegment(one, (text, { source, offset, opens }) => {
      const before = found.get(source) ?? '';
      expect(opens).toBe(!found.has(source));
      expect(offset).toBe(before.length);
      found.set(source, before + Buffer.from(text).toString('latin1'));
    });
  }
  return found;
}

const pieces = (texts: string[], size: number): DocumentPiece[] =>
  texts.flatMap((text, d) => {
    const bytes = Buffer.from(text);
    const count = Math.max(1, Math.ceil(bytes.length / size));
    return Array.from({ length: count }, (_, i) => ({
      bytes: bytes.subarray(i * size, (i + 1) * size),
      source: `d${d}`,
      end: i === count - 1,
    }));
  });

describe('TextBatcher', () => {
  it('puts small documents together and parts large ones between words', () => {
    const batches = batch(pieces(['aa', 'bb', 'one two three four five', 'c'], 4), 8);
    expect(batches.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      'aabbone',
      ' two',
      ' three',
      ' four five',
      'c',
    ]);
    expect(batches.map(({ segments }) => segments.map(({ source, opens }) => source + (opens ? '+' : '')))).toEqual([
      ['d0+', 'd1+', 'd2+'],
      ['d2'],
      ['d2'],
      ['d2'],
      ['d3+'],
    ]);
  });

  it('loses and adds nothing, however it is cut', () => {
    const text = fc
      .array(fc.constantFrom('a', 'bc', ' ', '\n', 'é', '漢', '😀'), { minLength: 1, maxLength: 30 })
      .map((t) => t.join(''));
    const cut = fc.constantFrom(
      lastWordCut,
      lastCharacterCut,
      () => 0,
      (_: Uint8Array, length: number) => length,
    );
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        cut,
        (texts, size, target, how) => {
          const found = documents(batch(pieces(texts, size), target, how));
          expect([...found.keys()]).toEqual(texts.map((_, d) => `d${d}`));
          expect([...found.values()]).toEqual(texts.map((text) => Buffer.from(text).toString('latin1')));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('holds what cannot be cut', () => {
    const whole = 'x'.repeat(100);
    expect(batch(pieces([whole, 'y y'], 7), 10).map(({ bytes }) => bytes.length)).toEqual([100, 3]);
  });

  it('ends a document with an empty piece, and passes over documents without text', () => {
    const piece = (text: string, source: string, end: boolean) => ({ bytes: Buffer.from(text), source, end });
    const batches = batch(
      [piece('', 'a', true), piece('x', 'b', false), piece('', 'b', true), piece('y', 'c', true)],
      100,
    );
    expect(documents(batches)).toEqual(
      new Map([
        ['b', 'x'],
        ['c', 'y'],
      ]),
    );
    expect(batch([], 10)).toEqual([]);
  });
});

it('forEachSegment says in which file and where', () => {
  const batches = batch(pieces(['good text', 'fine bad text'], 5), 12);
  const fail = (text: Uint8Array) => {
    const at = Buffer.from(text).indexOf('bad');
    if (at >= 0) throw new EncodeError('Bad word', at);
  };
  expect(() => {
    for (const one of batches) forEachSegment(one, fail);
  }).toThrow('Bad word at byte 5 of d1.');
  const broken = () =>
    forEachSegment(batches[0]!, () => {
      throw new Error('ours');
    });
  expect(broken).toThrow(/^ours$/);
});
