import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { BatchedFile } from '../base/files/batched-file.js';
import { crc32c } from './crc32c.js';

/** How {@link TensorBoardWriter.open} begins. */
export interface TensorBoardOptions {
  /** The checkpoint's step when a run is resumed: TensorBoard then drops the points of later steps in older files. */
  readonly resumeAfter?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Writes scalars to an `events.out.tfevents.*` file, which TensorBoard shows: `tensorboard --logdir runs`.
 *
 * Format: TFRecord frames (length, masked CRC-32C of it, data, masked CRC-32C of the data) of `tensorflow.Event` messages,
 * https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto.
 *
 * @example
 * const board = await TensorBoardWriter.open('runs/demo');
 * board.scalars(10, { 'loss/train': 3.1, 'learning rate': 1e-3 });
 * await board.close();
 */
export class TensorBoardWriter {
  private constructor(
    private readonly file: BatchedFile,
    private readonly now: () => number,
  ) {}

  /** Starts a new file in a folder. A resumed run starts another, because the last record of the old may be torn. */
  static async open(folder: string, options: TensorBoardOptions = {}): Promise<TensorBoardWriter> {
    const { now = Date.now, resumeAfter } = options;
    // TensorBoard reads the files in the order of their names, so the time in ours must be later than any there.
    const times = (await readdir(folder)).map((name) =>
      Number(/^events\.out\.tfevents\.(\d{10})\./.exec(name)?.[1] ?? -1),
    );
    const seconds = Math.max(Math.floor(now() / 1000), ...times.map((time) => time + 1));
    const name = `events.out.tfevents.${String(seconds).padStart(10, '0')}.${hostname()}.${process.pid}`;
    const writer = new TensorBoardWriter(await BatchedFile.open(join(folder, name), 'wx', now), now);
    writer.#event(0, (event) => event.tag(3, WireType.LengthDelimited).string('brain.Event:2'));
    if (resumeAfter !== undefined) {
      // SessionLog.START: points of this step and later that were read before are of an abandoned continuation.
      writer.#event(resumeAfter + 1, (event) => {
        event.tag(7, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(1).join();
      });
    }
    await writer.flush();
    return writer;
  }

  /** Adds a point to the curve of each tag. Values are kept in single precision. */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#event(step, (event) => {
      event.tag(5, WireType.LengthDelimited).fork();
      for (const [tag, value] of Object.entries(values)) {
        event.tag(1, WireType.LengthDelimited).fork();
        event.tag(1, WireType.LengthDelimited).string(tag);
        event.tag(2, WireType.Bit32).float(Math.fround(value));
        event.join();
      }
      event.join();
    });
  }

  /** Hands all points to the operating system, so that TensorBoard sees them. */
  flush(): Promise<void> {
    return this.file.flush();
  }

  /** Waits until the disk has all points. */
  sync(): Promise<void> {
    return this.file.sync();
  }

  close(): Promise<void> {
    return this.file.close();
  }

  #event(step: number, fill: (event: BinaryWriter) => void): void {
    const event = new BinaryWriter();
    event.tag(1, WireType.Bit64).double(this.now() / 1000);
    if (step !== 0) event.tag(2, WireType.Varint).int64(step);
    fill(event);
    this.file.append(record(event.finish()));
  }
}

/** Frames data as a TFRecord, https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details. */
function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return bytes;
}

/** Rotated and shifted, since the checksum of data that holds its own checksum tells little. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
