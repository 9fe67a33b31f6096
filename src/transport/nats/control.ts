import { isIP } from 'node:net';
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { RefusedError } from '../errors.js';
import type { ControlAddress, ControlChannel } from '../transport.js';
import { payloadError } from './connect.js';
import { PassingError } from './patience.js';
import { request } from './requests.js';
import { addressOf, controlSubject } from './subjects.js';

/** Replies go to inboxes alone: else whoever asks could have the answer sent where they may not write themselves. */
export const INBOXES = '_MF';
/** Those of askers, and what the server puts in their place when they have an account of their own. */
const ANSWERED = [`${INBOXES}.`, '_R_.'];

/** What a handler's failure is told as, so that the asker fails with the reason and not by a time-out. */
const FAILURE = '\u0000error:';

/** Small messages over core NATS. */
export class NatsControl implements ControlChannel {
  constructor(
    private readonly connection: NatsConnection,
    private readonly run: string,
  ) {}

  send(address: ControlAddress, message: Uint8Array): void {
    this.checkSize(message);
    // Nothing promises that a message arrives; who listens to the status knows that none does any more.
    if (!this.connection.isClosed()) this.connection.publish(controlSubject(this.run, address), message);
  }

  listen(address: ControlAddress, handler: (message: Uint8Array, from: ControlAddress) => void): () => void {
    return this.subscribe(address, ({ data, subject }) => {
      const from = addressOf(this.run, subject);
      if (from) handler(data, from);
    });
  }

  answer(
    what: string,
    handler: (message: Uint8Array, by?: string, address?: string) => Promise<Uint8Array>,
  ): () => void {
    const take = (message: Msg) => {
      if (!ANSWERED.some((prefix) => message.reply?.startsWith(prefix))) return;
      const by = message.subject.split('.')[4];
      void this.respond(message, (bytes) => handler(bytes, by, addressFrom(message)));
    };
    const stops = [{}, { by: '*' }].map((by) => this.subscribe({ to: 'ask', what, ...by }, take));
    return () => {
      for (const stop of stops) stop();
    };
  }

  async ask(what: string, message: Uint8Array, timeout: number, by?: string): Promise<Uint8Array> {
    this.checkSize(message);
    const subject = controlSubject(this.run, { to: 'ask', what, ...(by !== undefined && { by }) });
    let data: Uint8Array;
    try {
      ({ data } = await request(this.connection, subject, message, { timeout, what: `ask for ${what}` }));
    } catch (error) {
      if (!(error instanceof PassingError)) throw error;
      throw new MeanfieldError(
        `The coordinator of ${this.run} does not answer. It may have ended, or be starting: look where it runs.`,
        { cause: error },
      );
    }
    const text = data.length > FAILURE.length && data[0] === 0 ? new TextDecoder().decode(data) : '';
    if (text.startsWith(FAILURE)) throw new RefusedError(text.slice(FAILURE.length));
    return data;
  }

  /** Never fails: a failure is the asker's answer, and who has gone gets none. */
  private async respond(message: Msg, handler: (message: Uint8Array) => Promise<Uint8Array>): Promise<void> {
    let answer: Uint8Array;
    try {
      answer = await handler(message.data);
      this.checkSize(answer);
    } catch (error) {
      answer = new TextEncoder().encode(FAILURE + messageOf(error));
    }
    if (!this.connection.isClosed()) message.respond(answer);
  }

  private subscribe(address: ControlAddress, take: (message: Msg) => void): () => void {
    const options = address.to === 'ask' ? { queue: 'coordinators' } : {};
    const subscription: Subscription = this.connection.subscribe(controlSubject(this.run, address), {
      ...options,
      callback: (error, message) => {
        if (error === null && isSent(message)) take(message);
      },
    });
    return () => subscription.unsubscribe();
  }

  private checkSize(message: Uint8Array): void {
    const allowed = this.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (message.length > allowed) throw payloadError(allowed, message.length);
  }
}

/** Added by the server to what comes from another account. */
const FOREIGN = 'Nats-Request-Info';

/**
 * Whether a message was sent as such. A stored message comes back with headers, and word that there is none with a
 * status; either may be asked to be sent where the asker may not. None of ours has any.
 */
function isSent({ headers }: Msg): boolean {
  return headers === undefined || (headers.code === 0 && headers.keys().every((key) => key === FOREIGN));
}

/** Where the server sees who sent this from another account, if it tells. */
function addressFrom({ headers }: Msg): string | undefined {
  try {
    const { host } = JSON.parse(headers?.get(FOREIGN) ?? '{}') as { host?: unknown };
    return typeof host === 'string' && isIP(host) !== 0 ? host : undefined;
  } catch {
    return undefined;
  }
}
