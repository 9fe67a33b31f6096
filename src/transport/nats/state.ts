import { setTimeout as sleep } from 'node:timers/promises';
import { headers, type NatsConnection } from '@nats-io/nats-core';
import { MeanfieldError } from '../../base/errors.js';
import { StateConflictError } from '../errors.js';
import type { StateStore, StateValue } from '../transport.js';
import { payloadError } from './connect.js';
import type { Patience } from './patience.js';
import { JetStreamRefusal, jetStreamReply, request } from './requests.js';
import { newestMessage } from './stored-message.js';
import { keySubject, type Subjects } from './subjects.js';

const WRONG_LAST_SEQUENCE = 10071;
/** Milliseconds between looks in case that a notice was lost, and after a notice that came before its value. */
const LOOK_EVERY = 2000;
const LOOK_AGAIN = 50;
const HEADROOM = 4096;

/**
 * The state as a JetStream key-value bucket. Values are read from the leader, so a reader sees every acknowledged
 * write. A watcher listens to the writes themselves and then looks: it needs no consumer, whose right to send anything
 * anywhere no worker should have.
 */
export class NatsState implements StateStore {
  constructor(
    private readonly connection: NatsConnection,
    private readonly subjects: Subjects,
    private readonly patience: Patience,
  ) {}

  async get(key: string): Promise<StateValue | undefined> {
    const what = `read the state ${key}`;
    return this.patience.keepTrying((timeout) =>
      newestMessage(this.connection, this.subjects, this.subjects.stateStream, this.subject(key), {
        timeout,
        what,
      }),
    );
  }

  async set(key: string, value: Uint8Array, revision: number): Promise<number> {
    const largest = (this.connection.info?.max_payload ?? 0) - HEADROOM;
    if (value.length > largest) throw payloadError(largest + HEADROOM, value.length + HEADROOM);
    const what = `set the state ${key}`;
    const expected = headers();
    expected.set('Nats-Expected-Last-Subject-Sequence', String(revision));
    try {
      return await this.patience.keepTrying(async (timeout) => {
        const message = await request(this.connection, this.subject(key), value, { timeout, what, headers: expected });
        return jetStreamReply<{ readonly seq: number }>(message, what).seq;
      });
    } catch (error) {
      if (!(error instanceof JetStreamRefusal) || error.errorCode !== WRONG_LAST_SEQUENCE) throw error;
      const stored = await this.get(key);
      // An attempt whose answer was lost had reached the server.
      if (stored && stored.revision > revision && Buffer.compare(stored.value, value) === 0) return stored.revision;
      throw new StateConflictError(
        `Another has set ${key} meanwhile: expected revision ${revision}, found ${stored?.revision ?? 0}.`,
        { cause: error },
      );
    }
  }

  async watch(key: string, listener: (value: StateValue) => void): Promise<() => void> {
    let seen = 0;
    let stopped = false;
    let looking = false;
    let noticed = false;
    const look = async () => {
      const value = await this.get(key).catch((error) => {
        // The line may be down for longer than anyone waits; the next look is never far.
        if (!(error instanceof MeanfieldError)) throw error;
        return undefined;
      });
      if (stopped || !value || value.revision <= seen) return false;
      seen = value.revision;
      listener(value);
      return true;
    };
    const lookSoon = async () => {
      noticed = true;
      if (looking) return;
      looking = true;
      while (noticed && !stopped) {
        noticed = false;
        if (await look()) continue;
        await sleep(LOOK_AGAIN);
        await look();
      }
      looking = false;
    };
    const subscription = this.connection.subscribe(this.subject(key), {
      callback: () => void lookSoon(),
    });
    const timer = setInterval(() => void lookSoon(), LOOK_EVERY);
    await look();
    return () => {
      stopped = true;
      clearInterval(timer);
      subscription.unsubscribe();
    };
  }

  private subject(key: string): string {
    return `${this.subjects.states}.${keySubject(key)}`;
  }
}
