import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { MeanfieldError, messageOf } from '../base/errors.js';
import { RefusedError } from './errors.js';
import { type RunKey, RunVerifier, UnsignedError } from './signed.js';
import type { ControlChannel } from './transport.js';

/** What is asked before an order is given: the session that it must name. */
export const SESSION = 'session';
/** Milliseconds after which a session is followed by another; the last one counts for so long again. */
const SESSION_LASTS = 60_000;
/** Milliseconds for which whoever gives orders uses a session. */
const USED_FOR = 30_000;
/** More bytes than any order has. */
const LONGEST = 16_384;

const orderSchema = z.strictObject({
  run: z.string().max(128),
  what: z.string().max(64),
  /** The coordinator's, so that nothing that was signed for an earlier one counts. */
  session: z.string().max(64),
  /** Counts once. */
  id: z.string().max(64),
  content: z.unknown(),
});

const answerSchema = z.discriminatedUnion('done', [
  z.strictObject({ done: z.literal(true), result: z.unknown() }),
  z.strictObject({
    done: z.literal(false),
    reason: z.string(),
    /** That the order's session is over, and nothing else is wrong. */
    late: z.boolean(),
  }),
]);

interface Session {
  readonly name: string;
  readonly since: number;
  /** Ids of orders that were taken. */
  readonly taken: Set<string>;
}

/**
 * Takes orders of whoever holds the run's key, and of nobody else: others may write to the same subjects where a server
 * is not ours. An order is signed, names the run and a session of this coordinator that is not over, and counts once; so
 * one that was heard or kept back does nothing in another run, after a restart, twice, or later than two minutes. The
 * answer is signed together with the order.
 */
export class OrderDesk {
  readonly #verifier: RunVerifier;
  /** The newest first. */
  #sessions: readonly Session[] = [];

  /** @param now milliseconds of a clock that never jumps */
  constructor(
    private readonly control: ControlChannel,
    private readonly key: RunKey,
    private readonly run: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#verifier = new RunVerifier(key.public);
  }

  /** Tells the session to whoever asks. @returns what ends it */
  open(): () => void {
    return this.control.answer(SESSION, async (question) =>
      this.key.signed('answer', encode(this.#current().name), question),
    );
  }

  /**
   * Carries out orders of a kind.
   *
   * @param handler gets their content, and gives the answer; why it throws is told
   * @returns what ends it
   */
  answer(what: string, handler: (content: unknown) => Promise<unknown>): () => void {
    return this.control.answer(what, async (bytes) => {
      let answer: z.input<typeof answerSchema>;
      try {
        answer = { done: true, result: await handler(this.#taken(what, bytes)) };
      } catch (error) {
        answer = { done: false, reason: messageOf(error), late: error instanceof LateError };
      }
      return this.key.signed('answer', encode(answer), bytes);
    });
  }

  /** The content of an order. @throws MeanfieldError when it does not count */
  #taken(what: string, bytes: Uint8Array): unknown {
    if (bytes.length > LONGEST) throw new MeanfieldError(`An order has ${LONGEST} bytes at most, got ${bytes.length}.`);
    const order = orderSchema.parse(decode(this.#verifier.opened('order', bytes)));
    if (order.run !== this.run || order.what !== what)
      throw new MeanfieldError(`This order is to ${order.what} run ${order.run}, not to ${what} run ${this.run}.`);
    this.#current();
    const session = this.#sessions.find(({ name }) => name === order.session);
    if (!session)
      throw new LateError('This order is of an earlier time: its session is over. Give it again if it is meant.');
    if (session.taken.has(order.id)) throw new MeanfieldError('This order was taken already.');
    session.taken.add(order.id);
    return order.content;
  }

  /** The session to be told, after a look at the clock. */
  #current(): Session {
    const now = this.now();
    const there = this.#sessions.filter(({ since }) => now - since < 2 * SESSION_LASTS);
    if (there[0] !== undefined && now - there[0].since < SESSION_LASTS) {
      this.#sessions = there;
      return there[0];
    }
    const session = { name: randomBytes(16).toString('base64url'), since: now, taken: new Set<string>() };
    this.#sessions = [session, ...there];
    return session;
  }
}

class LateError extends MeanfieldError {}

/** Gives orders to a run's coordinator, by the run's key. */
export class OrderGiver {
  readonly #verifier: RunVerifier;
  #session: { readonly name: string; readonly since: number } | undefined;

  constructor(
    private readonly control: ControlChannel,
    private readonly key: RunKey,
    private readonly run: string,
  ) {
    this.#verifier = new RunVerifier(key.public);
  }

  /**
   * @param within milliseconds
   * @returns what the coordinator answers
   * @throws RefusedError with the coordinator's reason; MeanfieldError when it does not answer, or another does
   */
  async give(what: string, content: unknown, within: number): Promise<unknown> {
    const known = this.#session;
    const session = await this.#current(within);
    const order: z.input<typeof orderSchema> = { run: this.run, what, session, id: randomUUID(), content };
    const signed = this.key.signed('order', encode(order));
    const answer = answerSchema.parse(this.#opened(await this.control.ask(what, signed, within), signed));
    if (answer.done) return answer.result;
    // Another coordinator may lead by now.
    this.#session = undefined;
    if (answer.late && known !== undefined) return this.give(what, content, within);
    throw new RefusedError(answer.reason);
  }

  async #current(within: number): Promise<string> {
    const since = performance.now();
    if (this.#session === undefined || since - this.#session.since > USED_FOR) {
      const question = randomBytes(16);
      const name = this.#opened(await this.control.ask(SESSION, question, within), question);
      this.#session = { name: z.string().parse(name), since };
    }
    return this.#session.name;
  }

  #opened(answer: Uint8Array, question: Uint8Array): unknown {
    try {
      return decode(this.#verifier.opened('answer', answer, question));
    } catch (cause) {
      if (!(cause instanceof UnsignedError)) throw cause;
      throw new MeanfieldError(
        "The answer is not signed by this run's coordinator, so another has answered in its place; nothing it says " +
          'counts. On a server that others use too, somebody may be listening where only the coordinator should.',
        { cause },
      );
    }
  }
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decode(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
