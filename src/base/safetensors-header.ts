import { MeanfieldError, messageOf } from './errors.js';
import { isJsonObject } from './json.js';
import { duplicateKey } from './json-duplicates.js';
import { DTYPE_BYTES, type Dtype, isDtype } from './safetensors-dtype.js';

/** The format's own limit on the header, in bytes; it keeps a hostile length from claiming memory. */
export const LARGEST_HEADER = 100_000_000;

/** Where a tensor lies in a safetensors file and what it is. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Number of elements: the product of the shape, 1 for a scalar. */
  readonly length: number;
  /** Bytes from the end of the header to the first element. */
  readonly start: number;
  readonly bytes: number;
}

/** What the header of a safetensors file says. */
export interface SafetensorsHeader {
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads the JSON of a safetensors header and checks it against the format
 * (https://huggingface.co/docs/safetensors, and its reference implementation): names once, known types, sizes that
 * follow from the shapes, data without gaps or overlaps that fills the file.
 *
 * @param json the header without its length, padding included
 * @param dataBytes bytes in the file after the header
 * @param source the file's name, for errors
 * @throws MeanfieldError that names the first fault
 */
export function parseSafetensorsHeader(json: Uint8Array, dataBytes: number, source: string): SafetensorsHeader {
  const root = parseJson(json, source);
  const metadata = Object.hasOwn(root, '__metadata__') ? parseMetadata(root.__metadata__, source) : {};
  const infos = Object.entries(root)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => parseTensor(name, entry, source))
    .sort((a, b) => a.start - b.start || a.bytes - b.bytes);
  let end = 0;
  for (const info of infos) {
    if (info.start !== end) {
      throw fault(
        source,
        `tensor ${quote(info.name)} starts at byte ${info.start}, expected ${end} (no gap, no overlap)`,
      );
    }
    end += info.bytes;
  }
  if (end !== dataBytes) {
    throw fault(source, `the tensors take ${end} bytes, the file has ${dataBytes} after its header (cut or padded?)`);
  }
  return { tensors: new Map(infos.map((info) => [info.name, info])), metadata };
}

/** An error that says which file is unsound and why. */
export function fault(source: string, reason: string): MeanfieldError {
  return new MeanfieldError(
    `${source} is not a sound safetensors file: ${reason}. Restore it from a copy or an earlier checkpoint.`,
  );
}

function parseJson(json: Uint8Array, source: string): Record<string, unknown> {
  let root: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    root = JSON.parse(text);
  } catch (error) {
    throw fault(source, `its header is no JSON (${messageOf(error)})`);
  }
  if (!isJsonObject(root) || text[0] !== '{') throw fault(source, 'its header is no JSON object');
  const twice = duplicateKey(text);
  if (twice !== undefined) throw fault(source, `its header has ${quote(twice)} twice`);
  return root;
}

function parseMetadata(value: unknown, source: string): Record<string, string> {
  const isTexts = (entries: [string, unknown][]): entries is [string, string][] =>
    entries.every(([, text]) => typeof text === 'string');
  const entries = isJsonObject(value) ? Object.entries(value) : undefined;
  if (entries === undefined || !isTexts(entries)) throw fault(source, '__metadata__ must map names to strings');
  return Object.fromEntries(entries);
}

function parseTensor(name: string, entry: unknown, source: string): TensorInfo {
  if (!isJsonObject(entry)) throw fault(source, `the entry of tensor ${quote(name)} is no object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDtype(dtype)) {
    const allowed = Object.keys(DTYPE_BYTES).join(', ');
    throw fault(source, `tensor ${quote(name)} has type ${quote(dtype)}, allowed are ${allowed}`);
  }
  if (!isSizes(shape)) {
    throw fault(source, `tensor ${quote(name)} has shape ${quote(shape)}, expected whole numbers of 0 or more`);
  }
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw fault(source, `tensor ${quote(name)} has data_offsets ${quote(offsets)}, expected [start, end]`);
  }
  let length = 1;
  for (const size of shape) {
    length *= size;
    if (!Number.isSafeInteger(length * DTYPE_BYTES[dtype])) {
      throw fault(source, `tensor ${quote(name)} has shape ${quote(shape)}, more elements than any file holds`);
    }
  }
  const [start, end] = offsets as [number, number];
  const bytes = length * DTYPE_BYTES[dtype];
  if (end - start !== bytes) {
    throw fault(source, `tensor ${quote(name)} (${dtype} ${quote(shape)}) needs ${bytes} bytes, has ${end - start}`);
  }
  return { name, dtype, shape, length, start, bytes };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** What a hostile file says is shown, but not more than a line of it. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
