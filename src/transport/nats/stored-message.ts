import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/nats-core';
import type { StateValue } from '../transport.js';
import { JetStreamRefusal, jetStreamReply, request } from './requests.js';
import type { Subjects } from './subjects.js';

const NO_MESSAGE = 10037;
const NOTHING = new Uint8Array(0);
/** Times that a server which may lag behind is asked again, and milliseconds between: a second, far more than they lag. */
const LOOKS = 5;
const PAUSE = 200;

export interface LookOptions {
  readonly timeout: number;
  /** What is being done, for messages. */
  readonly what: string;
}

/**
 * The last message under a subject, from any server that has the stream: one that lags behind may miss the newest.
 *
 * @returns its content and sequence number; undefined when there is none
 * @throws PassingError when nobody answers at the moment
 */
export async function nearestMessage(
  connection: NatsConnection,
  { api }: Subjects,
  stream: string,
  subject: string,
  options: LookOptions,
): Promise<StateValue | undefined> {
  const answer = await request(connection, `${api}.DIRECT.GET.${stream}.${subject}`, NOTHING, options);
  const { headers } = answer;
  if (headers?.code !== 0) return undefined;
  return { value: answer.data, revision: Number(headers.get('Nats-Sequence')) };
}

/**
 * The last message under a subject, from the stream's leader, which has every write that was acknowledged. Who may not
 * ask the leader asks the nearest server: a worker in an account of its own, where there is but one server, and one with
 * a JWT for others' blobs, which waits for a server that lags behind.
 *
 * @returns as {@link nearestMessage}
 */
export async function newestMessage(
  connection: NatsConnection,
  subjects: Subjects,
  stream: string,
  subject: string,
  options: LookOptions,
): Promise<StateValue | undefined> {
  const { access, runStream, stateStream } = subjects;
  if (access === 'isolated') return nearestMessage(connection, subjects, stream, subject, options);
  if (access === 'signed' && stream !== runStream && stream !== stateStream)
    return patientlyNearest(connection, subjects, stream, subject, options);
  const payload = new TextEncoder().encode(JSON.stringify({ last_by_subj: subject }));
  const answer = await request(connection, `${subjects.api}.STREAM.MSG.GET.${stream}`, payload, options);
  try {
    const { message } = jetStreamReply<StoredReply>(answer, options.what);
    return { value: new Uint8Array(Buffer.from(message.data ?? '', 'base64')), revision: message.seq };
  } catch (error) {
    if (error instanceof JetStreamRefusal && error.errorCode === NO_MESSAGE) return undefined;
    throw error;
  }
}

async function patientlyNearest(...look: Parameters<typeof nearestMessage>): Promise<StateValue | undefined> {
  for (let looks = 0; ; looks++) {
    const found = await nearestMessage(...look);
    if (found || looks === LOOKS) return found;
    await sleep(PAUSE);
  }
}

interface StoredReply {
  readonly message: { readonly seq: number; readonly data?: string };
}
