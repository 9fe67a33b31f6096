import type { NatsConnection } from '@nats-io/nats-core';
import type { StateValue } from '../transport.js';
import { JetStreamRefusal, jetStreamReply, request } from './requests.js';
import type { Subjects } from './subjects.js';

const NO_MESSAGE = 10037;
const NOTHING = new Uint8Array(0);

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
 * The last message under a subject, from the stream's leader, which has every write that was acknowledged. A worker in
 * an account of its own can only ask the nearest server: there is but one then.
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
  if (subjects.isolated) return nearestMessage(connection, subjects, stream, subject, options);
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

interface StoredReply {
  readonly message: { readonly seq: number; readonly data?: string };
}
