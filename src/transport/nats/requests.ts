import {
  ClosedConnectionError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  RequestError,
  TimeoutError,
} from '@nats-io/nats-core';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { type ApiError, apiError, CredentialError, isBeyondQuota, isPassing, isTaken } from './errors.js';
import { PassingError, Patience } from './patience.js';

/**
 * One request, whose failures are told apart: {@link PassingError} for those that may pass, RefusedError where we may
 * not ask.
 *
 * @param what is being done, for messages
 */
export async function request(
  connection: NatsConnection,
  subject: string,
  payload: Uint8Array,
  options: { readonly timeout: number; readonly headers?: MsgHdrs; readonly what: string },
): Promise<Msg> {
  const { what, ...rest } = options;
  try {
    return await connection.request(subject, payload, rest);
  } catch (error) {
    throw requestError(error, what);
  }
}

function requestError(error: unknown, what: string): Error {
  const cause = error instanceof RequestError && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof PermissionViolationError) {
    return new CredentialError(
      `The NATS server does not let us ${what}: our credential has no right to ${cause.subject}.`,
      {
        cause,
      },
    );
  }
  if (cause instanceof ClosedConnectionError) {
    return new MeanfieldError(`Cannot ${what}: the connection to the NATS server is closed.`, { cause });
  }
  if (cause instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders())) {
    return new PassingError(what, {
      cause: new MeanfieldError(
        `Cannot ${what}: nothing answers on the NATS server. JetStream is off, the run is not (or no longer) on this ` +
          'server, or its cluster has no leader.',
      ),
    });
  }
  if (cause instanceof TimeoutError) {
    return new PassingError(what, {
      cause: new MeanfieldError(`Cannot ${what}: the NATS server has not answered in time. Is the line up?`),
    });
  }
  return new MeanfieldError(`Cannot ${what}: ${messageOf(error)}`, { cause: error });
}

/** What JetStream answered, as JSON. @throws PassingError, or what {@link apiError} makes of a refusal */
export function jetStreamReply<T extends object>(message: Msg, what: string): T {
  let reply: T & { readonly error?: ApiError };
  try {
    reply = message.json();
  } catch (error) {
    throw new MeanfieldError(`Cannot ${what}: the NATS server's answer is no JSON.`, { cause: error });
  }
  const { error } = reply;
  if (error === undefined) return reply;
  if (isPassing(error)) throw new PassingError(what, { cause: apiError(error, what) });
  throw new JetStreamRefusal(error, what);
}

/** A refusal of JetStream, with its code for those who can go on from it. */
export class JetStreamRefusal extends MeanfieldError {
  override name = 'JetStreamRefusal';
  readonly errorCode: number;
  /** Whether something lies there already, and is not to be overwritten. */
  readonly taken: boolean;
  /** Whether the stream takes no more of this size. */
  readonly beyondQuota: boolean;

  constructor(error: ApiError, what: string) {
    super(apiError(error, what).message);
    this.taken = isTaken(error);
    this.beyondQuota = isBeyondQuota(error);
    this.errorCode = error.err_code ?? error.code;
  }
}

/**
 * One request to JetStream's API.
 *
 * @param what is being done, for messages
 * @throws JetStreamRefusal when it says no; MeanfieldError when it does not answer
 */
export async function jetStreamApi<T extends object>(
  connection: NatsConnection,
  name: string,
  payload: object,
  what: string,
): Promise<T> {
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  // A server without JetStream answers that nobody is there, and goes on saying so.
  const patience = new Patience(connection.info?.jetstream === true ? {} : { patience: 0 });
  try {
    return await patience.keepTrying(async (timeout) =>
      jetStreamReply<T>(await request(connection, `$JS.API.${name}`, bytes, { timeout: timeout || 5000, what }), what),
    );
  } catch (error) {
    if (error instanceof PassingError) throw new MeanfieldError(`Cannot ${what}.`, { cause: error });
    throw error;
  }
}
