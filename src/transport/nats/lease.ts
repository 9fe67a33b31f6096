import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isJsonObject } from '../../base/json.js';
import { StateConflictError } from '../errors.js';
import type { StateStore, StateValue } from '../transport.js';

export interface LeaseOptions {
  /** The state's key that bears the lease. */
  readonly key: string;
  /** Who asks, for people: host and process. */
  readonly holder: string;
  /** Milliseconds without a sign of life after which another may lead. */
  readonly ttl: number;
  /** The least that the term may be: higher than any before, even where what the store had is lost. */
  readonly leastTerm?: number;
  /** Milliseconds of a clock that never jumps. */
  readonly now?: () => number;
  /** Called while another leads, with who it is, whenever that changes. */
  readonly onWaiting?: (holder: string) => void;
}

/**
 * Leadership by compare-and-set. The holder writes a sign of life four times in each `ttl`. Nobody compares clocks:
 * those who wait take over when *they* have seen no change for `ttl` by their own clock, and the holder gives up when
 * its own last successful write began longer ago than three quarters of it, so before anyone else can lead.
 */
export class LeadershipLease {
  /** Aborted when this holder may no longer lead. */
  readonly lost: AbortSignal;
  private readonly controller = new AbortController();
  private readonly renewing: Promise<void>;
  private released = false;
  private wake = () => {};

  private constructor(
    private readonly state: StateStore,
    private readonly options: LeaseOptions,
    private readonly id: string,
    private revision: number,
    /** A later leader has a higher one. */
    readonly term: number,
    private writtenAt: number,
  ) {
    this.lost = this.controller.signal;
    this.renewing = this.renew();
  }

  /** Waits until this one leads. @throws the signal's reason */
  static async acquire(state: StateStore, options: LeaseOptions, signal?: AbortSignal): Promise<LeadershipLease> {
    const now = options.now ?? (() => performance.now());
    const id = randomUUID();
    let seen = -1;
    let seenAt = now();
    let told = '';
    for (;;) {
      signal?.throwIfAborted();
      const current = await state.get(options.key);
      const content = contentOf(current);
      if ((current?.revision ?? 0) !== seen) {
        seen = current?.revision ?? 0;
        seenAt = now();
      }
      if (content.id === '' || now() - seenAt >= options.ttl) {
        const began = now();
        const term = Math.max(content.term + 1, options.leastTerm ?? 1);
        try {
          const revision = await state.set(options.key, encode(id, options.holder, term), seen);
          return new LeadershipLease(state, options, id, revision, term, began);
        } catch (error) {
          if (!(error instanceof StateConflictError)) throw error;
          continue;
        }
      }
      if (content.holder !== told) options.onWaiting?.((told = content.holder));
      await sleep(options.ttl / 8, undefined, { signal });
    }
  }

  /** Lets another lead at once. */
  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    this.wake();
    await this.renewing;
    if (this.lost.aborted) return;
    this.controller.abort(new Error('released'));
    await this.state.set(this.options.key, encode('', this.options.holder, this.term), this.revision).catch((error) => {
      if (!(error instanceof StateConflictError)) throw error;
    });
  }

  private async renew(): Promise<void> {
    const { ttl, now = () => performance.now() } = this.options;
    const lose = (why: string) => this.controller.abort(new Error(why));
    for (;;) {
      await this.pause(ttl / 4);
      if (this.released) return;
      const began = now();
      const write = this.state.set(this.options.key, encode(this.id, this.options.holder, this.term), this.revision);
      // The store may try for longer than we may lead.
      const outcome = await Promise.race([
        write.then(
          (revision) => revision,
          (error: unknown) => error,
        ),
        sleep(Math.max(0, this.writtenAt + 0.75 * ttl - began), 'late' as const, { ref: false }),
      ]);
      if (typeof outcome === 'number') {
        this.revision = outcome;
        this.writtenAt = began;
      } else if (outcome === 'late') {
        return lose('no sign of life could be written in time');
      } else if (outcome instanceof StateConflictError) {
        return lose('another leads');
      } else if (now() - this.writtenAt >= 0.75 * ttl) {
        return lose(`no sign of life could be written: ${String(outcome)}`);
      }
    }
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.released) this.wake();
    });
  }
}

interface Content {
  readonly id: string;
  readonly holder: string;
  readonly term: number;
}

/** Every write differs, so that each is seen as a change. The time is for people alone. */
function encode(id: string, holder: string, term: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ id, holder, term, beat: randomUUID(), at: new Date() }));
}

function contentOf(value: StateValue | undefined): Content {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(value?.value));
    if (isJsonObject(parsed) && typeof parsed.id === 'string' && Number.isSafeInteger(parsed.term)) {
      return { id: parsed.id, holder: String(parsed.holder), term: parsed.term as number };
    }
  } catch {
    // No lease, or not one of ours: free.
  }
  return { id: '', holder: '', term: 0 };
}
