import { unicodeName } from './encodings.js';
import magicBytes from './magic-bytes.json' with { type: 'json' };

/** How many bytes of a file's start {@link binaryReason} should see. */
export const SNIFF_BYTES = 1 << 16;

const MAGIC = magicBytes.map(({ hex, at = 0, ...rest }) => ({ bytes: Buffer.from(hex, 'hex'), at, ...rest }));

/** What a ZIP file is by a name that stands in it. */
const ZIPPED: readonly [name: string, what: string][] = [
  ['word/', 'a Word document (docx)'],
  ['xl/', 'an Excel workbook (xlsx)'],
  ['ppt/', 'a PowerPoint presentation (pptx)'],
  ['application/epub+zip', 'an EPUB book'],
  ['application/vnd.oasis.opendocument', 'an OpenDocument file'],
];

/**
 * Why the start of a file is not text and what can be done about it, or undefined when it is text. Text in another
 * 8-bit encoding than UTF-8 passes, since the byte tokenizers can learn it: only what is known by its first bytes, a NUL
 * byte, or more than one control character in twenty bytes (packed data has two) make a file binary.
 *
 * @param path what to call the file in advice
 */
export function binaryReason(start: Uint8Array, path = 'FILE'): string | undefined {
  const known = knownReason(start, path);
  if (known !== undefined) return known;
  const encoding = unicodeName(start);
  if (encoding !== undefined) {
    return `it is ${encoding}, not UTF-8: convert it, for example with iconv -f ${encoding} -t UTF-8 ${path}`;
  }
  const nul = start.indexOf(0);
  if (nul >= 0) return nulReason(nul);
  let controls = 0;
  for (const byte of start) {
    // Backspace, white space and escape are used in text.
    if (byte === 0x7f || (byte < 0x20 && !(byte >= 0x08 && byte <= 0x0d) && byte !== 0x1b)) controls++;
  }
  if (controls * 20 <= start.length) return undefined;
  return `${Math.round((100 * controls) / start.length)} % of its first bytes are control characters`;
}

/** {@link binaryReason} for what is known by its first bytes, whatever else may be said of it. */
export function knownReason(start: Uint8Array, path: string): string | undefined {
  const known = knownKind(start);
  return known && `it ${known.what}: ${known.advice.replaceAll('FILE', () => path)}`;
}

/** Why a file with a NUL byte at `offset` is not text, wherever that is. */
export function nulReason(offset: number): string {
  return `it has a NUL byte at ${offset}`;
}

/** What stands in place of the file, or what kind of file it is, by its first bytes. */
function knownKind(start: Uint8Array): { what: string; advice: string } | undefined {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const pointer = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\r?\n(?:.*\n)*?size (\d+)/.exec(
    bytes.toString('latin1', 0, 1024),
  );
  if (pointer) {
    return {
      what: `is a Git LFS pointer, which stands for a file of ${pointer[1]} bytes`,
      advice: 'fetch the file itself with git lfs pull',
    };
  }
  if (bytes.toString('latin1', 0, 15) === '/annex/objects/') {
    return { what: 'is a git-annex pointer', advice: 'fetch the file itself with git annex get FILE' };
  }
  if (bytes.toString('latin1', 0, 4) === 'PK\x03\x04') {
    const inside = ZIPPED.find(([name]) => bytes.includes(name));
    if (inside) return { what: `is ${inside[1]}`, advice: 'save it as plain text first' };
    return { what: 'is a ZIP archive', advice: 'unpack it (unzip FILE) and name what is in it' };
  }
  return MAGIC.find((magic) => bytes.subarray(magic.at, magic.at + magic.bytes.length).equals(magic.bytes));
}
