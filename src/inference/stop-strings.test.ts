import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings.js';

/** What is let through of a text that comes in these pieces, and what each push gave. */
function through(strings: string[], pieces: string[]) {
  const stops = new StopStrings(strings);
  const given: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = stops.push(piece);
    given.push(text);
    if (stopped) return { text: given.join(''), given, stopped };
  }
  return { text: given.join('') + stops.end(), given, stopped: false };
}

describe('StopStrings', () => {
  it('ends a text before a string, also across pieces', () => {
    expect(through(['END'], ['abENDcd'])).toMatchObject({ text: 'ab', stopped: true });
    expect(through(['END'], ['a', 'bE', 'N', 'Dcd'])).toMatchObject({ text: 'ab', stopped: true });
    expect(through(['aab'], ['a', 'a', 'a', 'b'])).toMatchObject({ text: 'a', stopped: true });
  });

  it('holds back no more than may begin a string, and gives it back', () => {
    expect(through(['END'], ['abE', 'x', 'EN'])).toEqual({ text: 'abExEN', given: ['ab', 'Ex', ''], stopped: false });
    expect(through([], ['a', 'b'])).toEqual({ text: 'ab', given: ['a', 'b'], stopped: false });
  });

  it('takes the string that is complete first, of two the longer', () => {
    expect(through(['abc', 'b'], ['abc'])).toMatchObject({ text: 'a', stopped: true });
    expect(through(['b', 'ab'], ['xab'])).toMatchObject({ text: 'x', stopped: true });
    expect(through(['ab', 'b'], ['xab'])).toMatchObject({ text: 'x', stopped: true });
  });

  it('gives the same text however it is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
    const strings = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 6 }), strings, (pieces, stops) => {
        const text = pieces.join('');
        const whole = through(stops, [text]);
        const cut = through(stops, pieces);
        const single = through(stops, [...text]);
        expect([cut.text, cut.stopped]).toEqual([whole.text, whole.stopped]);
        expect([single.text, single.stopped]).toEqual([whole.text, whole.stopped]);
        expect(text.startsWith(whole.text)).toBe(true);
        expect(stops.some((stop) => whole.text.includes(stop))).toBe(false);
        expect(whole.stopped).toBe(stops.some((stop) => text.includes(stop)));
      }),
    );
  });
});
