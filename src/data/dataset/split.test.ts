import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DocumentPiece } from '../corpus/types.js';
import { type Split, SplitPlanner, SplitRouter } from './split.js';

const digest = (text: string) => createHash('sha256').update(text).digest();

function plan(texts: string[], fraction: number): Split {
  const planner = new SplitPlanner(fraction);
  for (const text of texts) planner.add(digest(text));
  return planner.plan(texts.join('').length);
}

/** The texts of both parts, with | after each document. */
function route(split: Split, pieces: DocumentPiece[]): { train: string; validation: string } {
  const router = new SplitRouter(split);
  const parts = { train: [] as Buffer[], validation: [] as Buffer[] };
  for (const whole of pieces) {
    for (const { part, piece } of router.route(whole)) {
      parts[part].push(Buffer.from(piece.bytes), Buffer.from(piece.end ? '|' : ''));
    }
  }
  return { train: Buffer.concat(parts.train).toString(), validation: Buffer.concat(parts.validation).toString() };
}

const piece = (text: string | Uint8Array, end = true): DocumentPiece => ({
  bytes: Buffer.from(text),
  source: 's',
  end,
});

describe('a corpus of few documents', () => {
  it('is cut as well where all of many documents would validate, as when they are equal', () => {
    const planner = new SplitPlanner(0.1);
    for (let i = 0; i < 60; i++) planner.add(digest('same'));
    expect(planner.plan(240)).toEqual({ at: 216 });
    expect(planner.allEqual).toBe(true);
    planner.add(digest('other'));
    expect(planner.allEqual).toBe(false);
    expect(planner.plan(245)).toHaveProperty('validates');
    const one = new SplitPlanner(0.1);
    one.add(digest('x'));
    expect(one.allEqual).toBe(false);
  });

  it('is cut at the end of its text', () => {
    expect(plan(['abcde', 'fghij'], 0.1)).toEqual({ at: 9 });
    expect(route({ at: 9 }, [piece('abcde'), piece('fghij')])).toEqual({ train: 'abcde|fghi|', validation: 'j|' });
    expect(route({ at: 5 }, [piece('abcde'), piece('fghij')])).toEqual({ train: 'abcde||', validation: 'fghij|' });
    expect(route({ at: 2 }, [piece('abcde'), piece('fghij')])).toEqual({ train: 'ab|', validation: 'cde|fghij|' });
  });

  it('is cut as nanoGPT cuts tiny Shakespeare', () => {
    const planner = new SplitPlanner(0.1);
    planner.add(digest('x'));
    expect(planner.plan(1_115_394)).toEqual({ at: 1_003_854 });
  });

  it('is never cut within a character, however it comes in pieces', () => {
    const text = 'aé漢😀b';
    fc.assert(
      fc.property(fc.nat(Buffer.from(text).length - 1), fc.integer({ min: 1, max: 12 }), (at, size) => {
        const bytes = Buffer.from(text);
        const count = Math.ceil(bytes.length / size);
        const pieces = Array.from({ length: count }, (_, i) =>
          piece(bytes.subarray(i * size, (i + 1) * size), i === count - 1),
        );
        const { train, validation } = route({ at }, pieces);
        expect(train.slice(0, -1) + validation.slice(0, -1)).toBe(text);
        expect(Buffer.from(train).length - 1).toBeGreaterThanOrEqual(at);
        expect(Buffer.from(train).length - 1).toBeLessThan(at + 4);
      }),
    );
  });

  it('is cut within a character where there are none', () => {
    const router = new SplitRouter({ at: 2 });
    const parts = router.route(piece(new Uint8Array(10).fill(0x80)));
    expect(parts.map(({ part, piece }) => [part, piece.bytes.length])).toEqual([
      ['train', 5],
      ['validation', 5],
    ]);
  });
});

describe('a corpus of many documents', () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `document ${i}`);
  const validates = (split: Split) => ('validates' in split ? split.validates : () => false);

  it('is dealt out by the hash of each document', () => {
    const ofTexts = validates(plan(texts, 0.1));
    const chosen = texts.filter((_, i) => ofTexts(i));
    expect(Math.abs(chosen.length - 500)).toBeLessThan(4 * Math.sqrt(450));
    expect(chosen).toEqual(texts.filter((text) => digest(text).readUIntBE(0, 6) / 2 ** 48 < 0.1));
    // Whatever comes before or after a document, it stays on its side.
    const reversed = [...texts].reverse();
    const ofReversed = validates(plan(reversed, 0.1));
    expect(reversed.filter((_, i) => ofReversed(i)).reverse()).toEqual(chosen);
  });

  it('has at least one document that validates, and its copies', () => {
    const few = texts.slice(0, 20);
    const lowest = [...few].sort((a, b) => digest(a).compare(digest(b)))[0]!;
    const split = plan([...few, lowest], 1e-9);
    expect([...few, lowest].filter((_, i) => validates(split)(i))).toEqual([lowest, lowest]);
  });

  it('goes to its parts document by document', () => {
    const split = { validates: (document: number) => document === 1 };
    const pieces = [piece('a', false), piece('A'), piece('b', false), piece('B'), piece('c')];
    expect(route(split, pieces)).toEqual({ train: 'aA|c|', validation: 'bB|' });
  });
});
