import { connect } from '@nats-io/transport-node';

/** What one process moves: chunks of zeros, no hashing, no arithmetic. */
export interface PlainTask {
  readonly server: string;
  readonly name: string;
  /** Makes the stream, which all processes share. */
  readonly create: boolean;
  readonly put: number;
  readonly get: number;
  /** Whose chunks it gets, and how many bytes there are of them. */
  readonly from: string;
  readonly stored: number;
}

/** As our blobs are cut: a mebibyte less room for headers. */
const CHUNK = 1024 * 1024 - 4096;
const PARALLEL = 16;
const STREAM = 'plain';
const TIMEOUT = 60_000;

/** Puts and gets as fast as the server lets one, then prints one JSON line. */
async function main({ server, name, create, put, get, from, stored }: PlainTask): Promise<void> {
  const connection = await connect({ servers: server });
  const ask = async (subject: string, payload?: Uint8Array | string) =>
    (await connection.request(subject, payload, { timeout: TIMEOUT })).data;
  if (create) {
    const settings = { retention: 'limits', storage: 'file', discard: 'new', num_replicas: 1, max_msgs_per_subject: 1 };
    const stream = { ...settings, name: STREAM, subjects: [`${STREAM}.>`], allow_direct: true };
    await ask(`$JS.API.STREAM.CREATE.${STREAM}`, JSON.stringify(stream));
  }
  const part = new Uint8Array(CHUNK);
  const chunks = Math.ceil(stored / CHUNK);
  const timed = async (count: number, work: (index: number) => Promise<unknown>) => {
    const start = performance.now();
    let next = 0;
    const lane = async () => {
      while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
    return (performance.now() - start) / 1000;
  };
  const putSeconds = await timed(Math.ceil(put / CHUNK), (i) => ask(`${STREAM}.${name}.${i}`, part));
  const getSeconds = await timed(Math.ceil(get / CHUNK), async (i) => {
    const chunk = await ask(`$JS.API.DIRECT.GET.${STREAM}.${STREAM}.${from}.${i % chunks}`);
    if (chunk.length !== CHUNK) throw new Error(`got ${chunk.length} bytes`);
  });
  console.log(JSON.stringify({ put: putSeconds, get: getSeconds }));
  await connection.close();
}

await main(JSON.parse(process.argv[2]!));
