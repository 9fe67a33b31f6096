import { MeanfieldError, messageOf } from '../../base/errors.js';
import { LONGEST_ROW, rowText } from './row-text.js';
import type { DocumentPiece, TableRow } from './types.js';

const [QUOTE, ESCAPE, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COMMA] = Buffer.from('"\\{}[],') as unknown as number[];

/**
 * The documents of a JSON file that is an array of objects, or objects one after the other over several lines: the text
 * in `field` of each. One object is in memory at a time.
 *
 * @throws MeanfieldError with the row's number for what is not JSON, is no object or has no text in the field
 */
export async function* readObjects(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  field: string,
): AsyncGenerator<DocumentPiece> {
  for await (const { row, source } of jsonObjectRows(chunks, path))
    yield { bytes: rowText(row, source, field), source, end: true };
}

/**
 * The objects of such a file.
 *
 * @throws MeanfieldError with the row's number for what is not JSON or is no object
 */
export async function* jsonObjectRows(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<TableRow> {
  const splitter = new ObjectSplitter(path);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  for await (const chunk of chunks) {
    for (const bytes of splitter.add(chunk)) {
      const source = `${path}, row ${number++}`;
      let row: unknown;
      try {
        row = JSON.parse(decoder.decode(bytes));
      } catch (error) {
        throw new MeanfieldError(`${source} is not valid JSON (${messageOf(error)}).`, { cause: error });
      }
      yield { row, source };
    }
  }
  splitter.end();
}

/** Cuts the objects out of JSON that comes in pieces. What is inside an object is left to the parser. */
export class ObjectSplitter {
  #rows = 0;
  /** Open brackets of the object that is being read. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Where we are outside the objects. */
  #place: 'start' | 'between' | 'after a comma' | 'after an object' | 'end' = 'start';
  #inList = false;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param path what to call the file in errors */
  constructor(private readonly path: string) {}

  /** The objects that end in this piece. */
  *add(chunk: Uint8Array): Generator<Uint8Array> {
    let start = 0;
    for (let at = this.#place === 'start' ? markLength(chunk) : 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#depth === 0) {
        if (byte === OPEN) start = at;
        this.#outside(byte);
      } else if (this.#inside(byte)) {
        const last = chunk.subarray(start, at + 1);
        yield this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
        this.#parts = [];
        this.#length = 0;
        this.#rows++;
      }
    }
    if (this.#depth === 0) return;
    this.#parts.push(chunk.slice(start));
    this.#length += chunk.length - start;
    if (this.#length > LONGEST_ROW) {
      throw new MeanfieldError(`${this.path}, row ${this.#rows} is longer than ${LONGEST_ROW} bytes.`);
    }
  }

  /** @throws MeanfieldError when the file ends too early */
  end(): void {
    if (this.#depth === 0 && (!this.#inList || this.#place === 'end')) return;
    throw new MeanfieldError(
      `${this.path} is not whole: it ends ${this.#depth > 0 ? 'within' : 'before'} row ${this.#rows}. Fetch or write it again.`,
    );
  }

  /** A byte between objects. */
  #outside(byte: number): void {
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) return;
    const place = this.#place;
    if (byte === OPEN && place !== 'end' && !(this.#inList && place === 'after an object')) {
      this.#depth = 1;
      this.#place = 'after an object';
    } else if (byte === OPEN_LIST && place === 'start') {
      this.#inList = true;
      this.#place = 'between';
    } else if (byte === COMMA && place === 'after an object' && this.#inList) {
      this.#place = 'after a comma';
    } else if (byte === CLOSE_LIST && this.#inList && (place === 'between' || place === 'after an object')) {
      this.#place = 'end';
    } else {
      throw new MeanfieldError(
        `${this.path}: expected a JSON object as row ${this.#rows}, got ${JSON.stringify(String.fromCharCode(byte))}. ` +
          'A table in JSON is an array of objects, or one object a line.',
      );
    }
  }

  /** A byte of an object; true when the object ends with it. */
  #inside(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === ESCAPE) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
    } else if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN || byte === OPEN_LIST) this.#depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) return --this.#depth === 0;
    return false;
  }
}

/** The length of a byte order mark, which some programs write before JSON. */
export function markLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}
