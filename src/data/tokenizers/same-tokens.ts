import { MeanfieldError } from '../../base/errors.js';
import { bytesToText, type Tokenizer } from './tokenizer.js';

/** Texts that tokenizers of one vocabulary may still cut apart in other ways: case, digits, blanks, scripts, marks. */
const PROBES = [
  'It’s 12345 o\'clock; the cat\'s "Café" is NOT open.\n\n  if (x >= 10) {\n\treturn x+1;\n  }\n',
  ' Größe, naïve, São Paulo; 日本語のテキスト, русский текст, ελληνικά 😀 a\u0301\r\n',
];

/**
 * Where two tokenizers differ: in a token, or in how they cut a text.
 *
 * @returns a difference in words, the first's side first; undefined where there is none
 */
export function tokenDifference(a: Tokenizer, b: Tokenizer): string | undefined {
  if (a.vocabularySize !== b.vocabularySize) return `${a.vocabularySize} entries and ${b.vocabularySize}`;
  for (let id = 0; id < a.vocabularySize; id++) {
    const [mine, theirs] = [bytesOf(a, id), bytesOf(b, id)];
    if (mine?.join() !== theirs?.join()) return `token ${id} is ${shown(mine)} and ${shown(theirs)}`;
  }
  for (const probe of PROBES) {
    const [mine, theirs] = [a, b].map((one) => (one.encodeKnown?.(probe) ?? one.encode(probe)).join(' '));
    if (mine !== theirs) return `${JSON.stringify(probe.trim().slice(0, 24))}… is cut into other tokens`;
  }
  return undefined;
}

/** What a token stands for; undefined for an id that has none. */
function bytesOf(tokenizer: Tokenizer, id: number): Uint8Array | undefined {
  try {
    return tokenizer.tokenBytes?.(id) ?? tokenizer.decodeBytes([id]);
  } catch (error) {
    if (error instanceof MeanfieldError) return undefined;
    throw error;
  }
}

function shown(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'none' : JSON.stringify(bytesToText(bytes));
}
