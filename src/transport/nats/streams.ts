import type { NatsConnection } from '@nats-io/nats-core';
import { MeanfieldError } from '../../base/errors.js';
import { jetStreamError } from './connect.js';
import { PassingError, Patience } from './patience.js';
import { JetStreamRefusal, jetStreamReply, request } from './requests.js';
import type { Subjects } from './subjects.js';

export interface StreamOptions {
  /** Servers of a NATS cluster that keep each message: 1, or 3 to survive the loss of one. */
  readonly replicas: 1 | 3;
  /** Bytes that the run's blobs may take on the server; no limit but the server's unless given. */
  readonly maxBytes?: number;
}

const NOT_FOUND = 10059;
/** States are few and small; earlier ones help to see what went wrong. */
const HISTORY = 8;

/**
 * Makes the two streams of a run where they are not there yet: chunks of blobs, and the state as a key-value bucket.
 *
 * @throws MeanfieldError without JetStream, without room, or with fewer servers than replicas
 */
export async function createStreams(
  connection: NatsConnection,
  subjects: Subjects,
  { replicas, maxBytes }: StreamOptions,
): Promise<void> {
  await checkJetStream(connection);
  const common = { retention: 'limits', storage: 'file', discard: 'new', num_replicas: replicas, max_age: 0 };
  await ensure(connection, {
    ...common,
    name: subjects.blobStream,
    subjects: [`${subjects.blobs}.>`],
    max_msgs_per_subject: 1,
    // A chunk is written once: what was read and committed stays as it is, whoever wrote it.
    discard_new_per_subject: true,
    max_bytes: maxBytes ?? -1,
    allow_direct: true,
    // Nothing is sent twice under one id; remembering ids would cost memory for every chunk.
    duplicate_window: 100_000_000,
  });
  await ensure(connection, {
    ...common,
    name: subjects.stateStream,
    subjects: [`${subjects.states}.>`],
    max_msgs_per_subject: HISTORY,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  });
}

/** Removes a run from the server: both streams with all they hold. */
export async function deleteStreams(connection: NatsConnection, subjects: Subjects): Promise<void> {
  for (const stream of [subjects.blobStream, subjects.stateStream]) {
    try {
      await api(connection, `STREAM.DELETE.${stream}`, {}, `delete ${stream}`);
    } catch (error) {
      if (!(error instanceof JetStreamRefusal && error.errorCode === NOT_FOUND)) throw error;
    }
  }
}

/** A stream's configuration as JetStream's API names it. */
interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly [key: string]: unknown;
}

async function checkJetStream(connection: NatsConnection): Promise<void> {
  try {
    await api(connection, 'INFO', {}, 'ask for JetStream');
  } catch (error) {
    if (error instanceof JetStreamRefusal || (error instanceof MeanfieldError && connection.info?.jetstream !== true)) {
      throw jetStreamError(error);
    }
    throw error;
  }
}

async function ensure(connection: NatsConnection, config: StreamConfig): Promise<void> {
  try {
    await api(connection, `STREAM.INFO.${config.name}`, {}, `look for ${config.name}`);
  } catch (error) {
    if (!(error instanceof JetStreamRefusal && error.errorCode === NOT_FOUND)) throw error;
    await api(connection, `STREAM.CREATE.${config.name}`, config, `create ${config.name}`);
  }
}

async function api(connection: NatsConnection, name: string, payload: object, what: string): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  // A server without JetStream answers that nobody is there, and goes on saying so.
  const patience = new Patience(connection.info?.jetstream === true ? {} : { patience: 0 });
  try {
    await patience.keepTrying(async (timeout) => {
      jetStreamReply(await request(connection, `$JS.API.${name}`, bytes, { timeout: timeout || 5000, what }), what);
    });
  } catch (error) {
    if (error instanceof PassingError) throw new MeanfieldError(`Cannot ${what}.`, { cause: error });
    throw error;
  }
}
