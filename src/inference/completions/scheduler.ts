import { FairShares } from './fair-shares.js';

/** What bounds a {@link CompletionScheduler}. */
export interface SchedulerLimits {
  /** Requests that run at once. */
  readonly running: number;
  /** Requests that wait; more are refused. */
  readonly waiting: number;
  /** Whether so many sequences, the longest of so many tokens, have room. One alone, of any length that is asked for, always has. */
  readonly fits: (sequences: number, longest: number) => boolean;
  /** Milliseconds that a piece of a prompt may take, by what earlier ones took. */
  readonly pieceMs: number;
  /** Tokens of a piece at most. */
  readonly mostTokens: number;
}

/** A request as it comes. */
export interface Arrival {
  readonly id: number;
  readonly client: string;
  /** Tokens of the prompt, 1 or more. */
  readonly prompt: number;
  /** When it is given up, in milliseconds of the same clock. */
  readonly deadline: number;
}

/** What is to be done next. */
export type ScheduledStep =
  /** Read a piece of what is known of a request, of so many tokens at most. */
  | { readonly type: 'read'; readonly id: number; readonly most: number }
  /** Add to each the one token that it lacks, and choose what follows. */
  | { readonly type: 'write'; readonly ids: readonly number[] }
  /** Give up its tokens in the cache, for room: it is read again when there is some. */
  | { readonly type: 'drop'; readonly id: number }
  /** Its time is over: fail it. */
  | { readonly type: 'expire'; readonly id: number };

interface Request extends Arrival {
  readonly arrived: number;
  /** Tokens that are known: the prompt's, and those that were chosen. */
  known: number;
  /** Tokens in the cache. */
  held: number;
}

/** Before any was measured, milliseconds that a token of a prompt takes. */
const FIRST_GUESS = 2;
/** How much the newest measurement counts. */
const NEWEST = 0.3;
/** The shortest piece worth a step. */
const LEAST_PIECE = 8;

/**
 * Decides what a model does next for many requests: a state machine without clock, model or queue of its own, so that its
 * rules can be tested by themselves.
 *
 * - Those that run and lack one token get it together, in one step. Between two such steps lies at most one piece of a prompt,
 *   whose length is chosen so that it takes {@link SchedulerLimits.pieceMs}.
 * - A place, and the next piece, go to the client that has been given the fewest tokens, and of its requests to the one that
 *   would be read first had each come alone: a short prompt overtakes a long one, but only if it came before that could
 *   have been read.
 * - When the cache is full, the request that came into it last gives its room back and waits again. The first never does, so
 *   there is always one that comes to its end.
 */
export class CompletionScheduler {
  readonly #waiting = new Map<number, Request>();
  /** In the order in which they were given their place. */
  readonly #running = new Map<number, Request>();
  readonly #shares = new FairShares();
  #readLast = false;
  #msPerToken = FIRST_GUESS;
  /** Of those that ended, smoothed. */
  #msPerRequest: number | undefined;
  readonly #began = new Map<number, number>();

  constructor(private readonly limits: SchedulerLimits) {}

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a request up. @returns undefined, or where the queue is full in how many milliseconds one may ask again */
  add(arrival: Arrival, now: number): { readonly retryMs: number } | undefined {
    const { running, waiting } = this.limits;
    // One that finds a free place does not wait, however short the queue may be.
    const places = waiting + Math.max(0, running - this.#running.size);
    if (this.#waiting.size >= places) {
      const rounds = (this.#waiting.size + 1) / running;
      return { retryMs: Math.min(60_000, Math.max(1000, (this.#msPerRequest ?? 1000) * rounds)) };
    }
    this.#waiting.set(arrival.id, { ...arrival, arrived: now, known: arrival.prompt, held: 0 });
    this.#shares.enter(arrival.client);
    return undefined;
  }

  /** A request has ended, of itself or by whoever asked. */
  remove(id: number, now: number): void {
    const request = this.#running.get(id) ?? this.#waiting.get(id);
    if (request === undefined) return;
    const began = this.#began.get(id);
    if (began !== undefined && this.#running.has(id)) {
      const took = now - began;
      this.#msPerRequest = this.#msPerRequest === undefined ? took : mix(this.#msPerRequest, took);
    }
    this.#running.delete(id);
    this.#waiting.delete(id);
    this.#began.delete(id);
    this.#shares.leave(request.client);
  }

  /** What is to be done now; undefined when there is nothing. */
  next(now: number): ScheduledStep | undefined {
    for (const { id, deadline } of [...this.#running.values(), ...this.#waiting.values()])
      if (now >= deadline) return { type: 'expire', id };
    this.#admit(now);
    const running = [...this.#running.values()];
    if (running.length === 0) return undefined;
    const writers = running.filter((request) => request.held > 0 && request.known - request.held === 1);
    const reader = this.#first(running.filter((request) => !writers.includes(request)));
    const step: ScheduledStep =
      reader !== undefined && (writers.length === 0 || !this.#readLast)
        ? { type: 'read', id: reader.id, most: this.#piece() }
        : { type: 'write', ids: writers.map(({ id }) => id) };
    const longest = Math.max(
      ...running.map((request) => {
        const gap = request.known - request.held;
        if (step.type === 'read') return request.held + (request.id === step.id ? Math.min(gap, step.most) : 0);
        return request.held + (gap === 1 && request.held > 0 ? 1 : 0);
      }),
    );
    if (running.length === 1 || this.limits.fits(running.length, longest)) return step;
    return { type: 'drop', id: running.at(-1)!.id };
  }

  /**
   * A piece was read.
   *
   * @param held tokens of it in the cache now
   * @param computed how many of them were computed, not found
   */
  read(id: number, held: number, computed: number, ms: number): void {
    this.#readLast = true;
    const request = this.#running.get(id);
    if (request === undefined) return;
    request.held = held;
    if (computed === 0) return;
    this.#shares.give(request.client, computed);
    this.#msPerToken = mix(this.#msPerToken, ms / computed);
  }

  /** A token was added to each. */
  wrote(ids: readonly number[]): void {
    this.#readLast = false;
    for (const id of ids) {
      const request = this.#running.get(id);
      if (request === undefined) continue;
      request.held++;
      this.#shares.give(request.client, 1);
    }
  }

  /** A token was chosen to follow. */
  chose(id: number): void {
    const request = this.#running.get(id);
    if (request !== undefined) request.known++;
  }

  /** All its tokens have left the cache, and it goes on where it is: they are to be read again. */
  forgot(id: number): void {
    const request = this.#running.get(id);
    if (request !== undefined) request.held = 0;
  }

  /** Its tokens have left the cache for others, and it waits again. */
  dropped(id: number): void {
    const request = this.#running.get(id);
    if (request === undefined) return;
    request.held = 0;
    this.#running.delete(id);
    this.#waiting.set(id, request);
  }

  #admit(now: number): void {
    while (this.#waiting.size > 0 && this.#running.size < this.limits.running) {
      const request = this.#first([...this.#waiting.values()])!;
      const longest = Math.max(request.known, ...[...this.#running.values()].map(({ known }) => known));
      // Whoever is next waits for room, and those behind with it: else a long one would never have any.
      if (this.#running.size > 0 && !this.limits.fits(this.#running.size + 1, longest)) return;
      this.#waiting.delete(request.id);
      this.#running.set(request.id, request);
      if (!this.#began.has(request.id)) this.#began.set(request.id, now);
    }
  }

  /** Whose turn it is among requests. */
  #first(requests: readonly Request[]): Request | undefined {
    const due = ({ arrived, known, held }: Request) => arrived + (known - held) * this.#msPerToken;
    let first: Request | undefined;
    for (const request of requests) {
      const order =
        first === undefined
          ? -1
          : this.#shares.given(request.client) - this.#shares.given(first.client) ||
            due(request) - due(first) ||
            request.id - first.id;
      if (order < 0) first = request;
    }
    return first;
  }

  #piece(): number {
    const { pieceMs, mostTokens } = this.limits;
    const tokens = Math.max(LEAST_PIECE, Math.floor(pieceMs / this.#msPerToken));
    // Powers of two: models that are compiled for a number of tokens are compiled for few.
    return Math.min(mostTokens, 2 ** Math.floor(Math.log2(tokens)));
  }
}

const mix = (before: number, newest: number): number => before + NEWEST * (newest - before);
