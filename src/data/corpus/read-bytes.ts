import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MeanfieldError, messageOf } from '../../base/errors.js';

/** How much of a file is read at a time. */
const CHUNK_BYTES = 1 << 18;

/**
 * The bytes of a file in pieces, unpacked when it is gzip.
 *
 * @param packed whether it is gzip: by its name unless given
 * @throws MeanfieldError when the file cannot be read or its gzip data is damaged
 */
export async function* readBytes(
  path: string,
  packed = path.toLowerCase().endsWith('.gz'),
): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  // The callback is needed, and the error itself comes out of the iteration.
  const stream: Readable = packed ? pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {}) : file;
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (packed && String((error as NodeJS.ErrnoException).code).startsWith('Z_')) {
      throw new MeanfieldError(
        `${path} is not a whole gzip file (${messageOf(error)}). Fetch or pack it again; gzip -t checks it.`,
        { cause: error },
      );
    }
    throw new MeanfieldError(`Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
  } finally {
    file.destroy();
  }
}
