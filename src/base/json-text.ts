import { messageOf } from './errors.js';

/** What a JSON file held. */
export interface JsonText {
  readonly text: string;
  readonly value: unknown;
}

/**
 * Reads the bytes of a JSON file as people have them: UTF-8 with or without a byte order mark, UTF-16 as Windows writes
 * it.
 *
 * @throws Error that says what is wrong, where, and what to do, as the end of a sentence
 */
export function parseJsonBytes(bytes: Uint8Array): JsonText {
  const encoding = encodingOf(bytes);
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`its bytes are no ${encoding.toUpperCase()} text`);
  }
  try {
    return { text, value: JSON.parse(text) };
  } catch (error) {
    if (text.trim() === '') throw new Error('it is empty', { cause: error });
    throw new Error(knownFault(text) ?? messageOf(error).slice(0, 200), { cause: error });
  }
}

/** JSON begins with a character of ASCII, so where its zero stands tells the order of UTF-16's bytes without a mark. */
function encodingOf([first, second]: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be';
  return 'utf-8';
}

/** What JavaScript or Python would take and JSON does not, with what to do about it. */
const FAULTS: readonly (readonly [pattern: RegExp, fault: (found: string) => string])[] = [
  [/^(?:\/\/|\/\*|#)/, () => 'a comment, which JSON does not have: delete it'],
  [/^(?:-?Infinity|NaN)/, (found) => `${found}, which JSON does not have: write null, or delete the key`],
  [/^(?:True|False|None)/, (found) => `${found} as Python writes it: write true, false or null`],
  [/^,/, () => 'a comma with nothing after it: delete it'],
  [/^'/, () => 'a single quote: write double ones'],
];

/** The first of the {@link FAULTS} outside strings and where it stands. */
function knownFault(text: string): string | undefined {
  const tokens = /"(?:[^"\\]|\\.)*"|"|\/\/|\/\*|#|-?Infinity\b|\b(?:NaN|True|False|None)\b|,(?=\s*[}\]])|'/gs;
  for (const { 0: token, index } of text.matchAll(tokens)) {
    // A string without an end: what follows cannot be told from it.
    if (token === '"') return undefined;
    const fault = FAULTS.find(([pattern]) => pattern.test(token));
    if (fault === undefined) continue;
    const before = text.slice(0, index).split('\n');
    return `line ${before.length}, column ${before.at(-1)!.length + 1} has ${fault[1](token)}`;
  }
  return undefined;
}
