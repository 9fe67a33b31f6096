import type { IncomingMessage } from 'node:http';
import { HttpError } from './http-error.js';

/** The deepest list or object in a request: what comes after it may go through functions that call themselves. */
const DEEPEST = 100;

/**
 * Reads a request's body as JSON, whatever its content type says.
 *
 * @param most bytes
 * @throws HttpError 413 when it is longer, 400 when it is no JSON of UTF-8, or is nested too deep
 */
export async function readJson(request: IncomingMessage, most: number): Promise<unknown> {
  const text = decode(await readBytes(request, most));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = text.trim() === '' ? 'it is empty' : (error as Error).message.replace(/^(.{0,100}).*$/s, '$1');
    throw new HttpError(400, `The body is no JSON: ${reason}.`, { code: 'invalid_json' });
  }
  if (deeperThan(value, DEEPEST))
    throw new HttpError(400, `The body is nested too deep: lists and objects may be ${DEEPEST} deep.`, {
      code: 'invalid_json',
    });
  return value;
}

/** As Node gives it: a request of the web's own, with a stream in it, takes several times as long. */
async function readBytes(request: IncomingMessage, most: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new HttpError(413, `The body is too large: ${most} bytes are allowed.`, {
      code: 'request_too_large',
      headers: { connection: 'close' },
    });
  const { headers } = request;
  if (Number(headers['content-length'] ?? 0) > most) throw tooLarge();
  if (headers['content-encoding'] !== undefined)
    throw new HttpError(415, 'The body is compressed. Send it as it is.', { code: 'unsupported_encoding' });
  // A connection may end between the last part and whoever hears of errors, and an error that nobody hears ends the process.
  request.on('error', () => {});
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    // What is not read may still be answered.
    for await (const part of request.iterator({ destroyOnReturn: false })) {
      bytes += part.length;
      if (bytes > most) throw tooLarge();
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, 'The body did not come to its end.', { code: 'invalid_json', cause: error });
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new HttpError(400, 'The body is no UTF-8.', { code: 'invalid_json', cause: error });
  }
}

/** Whether lists and objects are nested deeper than so many. */
function deeperThan(value: unknown, most: number): boolean {
  const left: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (typeof one.value !== 'object' || one.value === null) continue;
    const depth = one.depth + 1;
    if (depth > most) return true;
    for (const inner of Object.values(one.value)) left.push({ value: inner, depth });
  }
  return false;
}
