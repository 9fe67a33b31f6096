import type { NatsConnection } from '@nats-io/nats-core';
import { MeanfieldError } from '../../base/errors.js';
import { jetStreamError } from './connect.js';
import { JetStreamRefusal, jetStreamApi } from './requests.js';
import { RUN_OWNER, type Subjects, streamOf } from './subjects.js';

export interface StreamOptions {
  /** Servers of a NATS cluster that keep each message: 1, or 3 to survive the loss of one. */
  readonly replicas: 1 | 3;
  /** Bytes that the run's own blobs may take on the server; no limit but the server's unless given. */
  readonly maxBytes?: number;
}

/** The code of JetStream's refusal where there is no such stream. */
export const NO_STREAM = 10059;
/** States are few and small; earlier ones help to see what went wrong. */
const HISTORY = 8;

/**
 * Makes the two streams of a run where they are not there yet: chunks of the run's own blobs, and the state as a
 * key-value bucket. Each worker gets one more.
 *
 * @throws MeanfieldError without JetStream, without room, or with fewer servers than replicas
 */
export async function createStreams(
  connection: NatsConnection,
  subjects: Subjects,
  { replicas, maxBytes }: StreamOptions,
): Promise<void> {
  await checkJetStream(connection);
  await ensure(connection, blobStreamConfig(subjects, RUN_OWNER, replicas, maxBytes ?? -1));
  await ensure(connection, {
    ...common(replicas),
    name: subjects.stateStream,
    subjects: [`${subjects.states}.>`],
    // What is stored there is the coordinator's alone, so this bounds it: a few keys, each of 8 messages at most.
    max_bytes: -1,
    max_msgs_per_subject: HISTORY,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  });
}

/** The stream of an owner's blobs. @param bytes that it may hold, with what the server adds to each chunk; -1: any */
export function blobStreamConfig(
  subjects: Subjects,
  owner: string,
  replicas: StreamOptions['replicas'],
  bytes: number,
): StreamConfig {
  return {
    ...common(replicas),
    name: streamOf(subjects, owner),
    subjects: [`${subjects.blobs}.${owner}.>`],
    max_msgs_per_subject: 1,
    // A chunk is written once: what was read and committed stays as it is, whoever wrote it.
    discard_new_per_subject: true,
    max_bytes: bytes,
    max_msg_size: -1,
    allow_direct: true,
    // Nothing is sent twice under one id; remembering ids would cost memory for every chunk.
    duplicate_window: 100_000_000,
  };
}

function common(replicas: StreamOptions['replicas']) {
  return { retention: 'limits', storage: 'file', discard: 'new', num_replicas: replicas, max_age: 0 };
}

/** A stream's configuration as JetStream's API names it. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  /** -1: no limit. */
  readonly max_bytes: number;
  readonly [key: string]: unknown;
}

async function checkJetStream(connection: NatsConnection): Promise<void> {
  try {
    await jetStreamApi(connection, 'INFO', {}, 'ask for JetStream');
  } catch (error) {
    if (error instanceof JetStreamRefusal || (error instanceof MeanfieldError && connection.info?.jetstream !== true)) {
      throw jetStreamError(error);
    }
    throw error;
  }
}

async function ensure(connection: NatsConnection, config: StreamConfig): Promise<void> {
  let found: { readonly config: StreamConfig; readonly state: { readonly bytes: number } };
  try {
    found = await jetStreamApi(connection, `STREAM.INFO.${config.name}`, {}, `look for ${config.name}`);
  } catch (error) {
    if (!(error instanceof JetStreamRefusal && error.errorCode === NO_STREAM)) throw error;
    await jetStreamApi(connection, `STREAM.CREATE.${config.name}`, config, `create ${config.name}`);
    return;
  }
  // Fewer bytes than are used would have some of them deleted.
  if (config.max_bytes <= found.state.bytes || found.config.max_bytes === config.max_bytes) return;
  await jetStreamApi(connection, `STREAM.UPDATE.${config.name}`, config, `give room to ${config.name}`);
}
