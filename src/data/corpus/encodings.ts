import { analyse } from 'chardet';

/** Share of NUL bytes in one place of every unit from which text without a mark is taken for UTF-16 or UTF-32. */
const NULS = 0.4;
/** Shorter text without a mark could be anything. */
const SHORTEST = 8;
/** Share of printable ASCII from which bytes are not UTF-16 of another script, in which it comes by chance. */
const ASCII = 0.8;
/** How sure a guess at an encoding must be to be told, of 100. */
const SURE = 20;

/** The name (iconv's) of the encoding when the start of a file is UTF-16 or UTF-32, by its mark or by its NUL bytes. */
export function unicodeName(start: Uint8Array): string | undefined {
  const [a, b, c, d] = start;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    return 'UTF-32';
  }
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    if (start.includes(0) || (start.length % 2 === 0 && isText(start, a === 0xff ? 'utf-16le' : 'utf-16be'))) {
      return 'UTF-16';
    }
  }
  if (start.length < SHORTEST) return undefined;
  const nuls = [0, 0, 0, 0];
  for (let at = start.indexOf(0); at >= 0; at = start.indexOf(0, at + 1)) nuls[at % 4]!++;
  const [w, x, y, z] = nuls.map((count) => (4 * count) / start.length > NULS);
  if (!w && y && z) return 'UTF-32LE';
  if (w && x && !z) return 'UTF-32BE';
  if (x && z && !w && !y) return 'UTF-16LE';
  if (w && y && !x && !z) return 'UTF-16BE';
  if (nuls.every((count) => count === 0) || start.filter(isAscii).length / start.length > ASCII) return undefined;
  // Scripts beyond Latin have few NUL bytes, but hardly anything else than UTF-16 is text when it is read as such.
  if (isText(start, 'utf-16le')) return 'UTF-16LE';
  return isText(start, 'utf-16be') ? 'UTF-16BE' : undefined;
}

function isAscii(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Whether an encoding makes text of bytes: no halves of pairs, control characters or code points without a meaning. */
function isText(bytes: Uint8Array, label: string): boolean {
  try {
    const text = new TextDecoder(label, { fatal: true }).decode(bytes.subarray(0, bytes.length & ~1), { stream: true });
    return text.length >= SHORTEST && !/[\p{Cn}\p{Co}]|[^\P{Cc}\t\n\r\f]/u.test(text);
  } catch {
    return false;
  }
}

/** What to do about a text in another encoding, or `''` where nothing is known of it. */
export function encodingHint(guess: string, path = 'FILE'): string {
  if (guess === '') return '';
  const family = guess === 'GB18030' ? ' (GBK is a part of it)' : '';
  return `it looks like ${guess}${family}, so convert it, for example with iconv -f ${guess} -t UTF-8 ${path}`;
}

/** What an 8-bit encoding seems to be, by how often its bytes follow one another; `''` where that is not clear. */
export function guessEncoding(bytes: Uint8Array): string {
  const best = analyse(bytes.subarray(0, 1 << 16)).find(({ name }) => !/^(ASCII|UTF)/.test(name));
  if (best === undefined || best.confidence < SURE) return '';
  return best.name;
}
