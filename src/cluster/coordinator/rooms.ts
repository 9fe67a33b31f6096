import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { BlobQuotas, BlobStore } from '../../transport/transport.js';
import { isNeeded, prefixOf } from './needed.js';
import type { RunState } from './run-state.js';

/** Rooms of workers that are gone, with nothing in them, that are kept: who looks there is told at once that all is gone. */
const MOST_EMPTY = 256;
/** Deletions in a worker's room at a time: who stores nonsense in a thousand places fills its own room with it. */
const MOST_DELETIONS = 64;

/** Whose the coordinator's blobs are. */
const RUN = 'run';

export interface RoomsOptions {
  readonly quotas: BlobQuotas;
  readonly blobs: Pick<BlobStore, 'delete'>;
  /** Bytes that a worker may store. */
  readonly bytes: number;
  readonly state: () => RunState;
  /** Whether this coordinator leads no more: another's state may need what ours does not. */
  readonly isOver: () => boolean;
  readonly onNotice: (message: string) => void;
}

/**
 * What each worker may store: its quota while it is a member, nothing when it is gone. What is there stays as long as the
 * run needs it, whoever has left: the parameters that joiners fetch lie in it.
 */
export class Rooms {
  readonly #options: RoomsOptions;
  /** By worker, the last thing that is done about its room. */
  readonly #doing = new Map<string, Promise<void>>();
  /** Members, as far as they are known here. */
  readonly #open = new Set<string>();
  /** Of workers that are gone; the value says whether there is nothing left. */
  readonly #closed = new Map<string, boolean>();
  #sweeping: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  /** Takes over what another coordinator has left: members have their rooms, those of others are closed. Never fails. */
  restore(): Promise<void> {
    return this.#attempt(async () => {
      const members = this.#members();
      const others = (await this.#options.quotas.owners()).filter((owner) => !members.includes(owner));
      await Promise.all(members.map((worker) => this.#attempt(() => this.open(worker))));
      await Promise.all(others.map((owner) => this.close(owner)));
    });
  }

  /** Lets a worker store what its part takes. @throws MeanfieldError when there is no room for it */
  open(worker: string): Promise<void> {
    return this.#inTurn(worker, async () => {
      if (this.#open.has(worker)) return;
      const { quotas, bytes } = this.#options;
      // Where everybody has one credential, anyone may come under any name.
      if (worker === RUN) throw new MeanfieldError(`No worker may be called ${RUN}: the run itself is.`);
      await quotas.grant(worker, bytes);
      this.#open.add(worker);
      this.#closed.delete(worker);
    });
  }

  /** Ends what a worker may store, and deletes what nobody needs. Never fails: it is tried again with the next sweep. */
  close(worker: string): Promise<void> {
    return this.#inTurn(worker, async () => {
      this.#open.delete(worker);
      this.#closed.delete(worker);
      this.#closed.set(worker, false);
      await this.#tidy(worker);
    });
  }

  /** Deletes what nobody needs any more, of all, and forgets the oldest rooms that are empty. Never fails. */
  sweep(): Promise<void> {
    // One that was asked for while another is under way begins after it, once.
    this.#next ??= this.#sweeping.then(() => {
      this.#next = undefined;
      this.#sweeping = this.#sweepAll();
      return this.#sweeping;
    });
    return this.#next;
  }

  async #sweepAll(): Promise<void> {
    // Where there was no room, or no word about it.
    for (const worker of this.#members()) if (!this.#open.has(worker)) await this.#attempt(() => this.open(worker));
    const workers = [...this.#open, ...[...this.#closed].flatMap(([worker, empty]) => (empty ? [] : worker))];
    await this.#attempt(() => this.#delete(RUN, Number.POSITIVE_INFINITY, true));
    for (const worker of workers) await this.#inTurn(worker, () => this.#tidy(worker));
    const empty = [...this.#closed].flatMap(([worker, isEmpty]) => (isEmpty ? worker : []));
    for (const worker of empty.slice(0, Math.max(0, empty.length - MOST_EMPTY)))
      await this.#inTurn(worker, async () => {
        if (this.#closed.get(worker) !== true) return;
        await this.#attempt(() => this.#options.quotas.remove(worker));
        this.#closed.delete(worker);
      });
  }

  #members(): string[] {
    return this.#options.state().rounds.workers.map(({ worker }) => worker);
  }

  #tidy(worker: string): Promise<void> {
    return this.#attempt(async () => {
      const { quotas } = this.#options;
      const isOpen = this.#open.has(worker);
      // First, so that what is found then is all there will be.
      if (!isOpen) await quotas.withdraw(worker);
      const left = await this.#delete(worker, MOST_DELETIONS, isOpen);
      if (isOpen) return;
      // Now that there is less: what is not used is set aside no longer.
      await quotas.withdraw(worker);
      this.#closed.set(worker, !left);
    });
  }

  /** @returns whether anything is left */
  async #delete(owner: string, most: number, isOpen: boolean): Promise<boolean> {
    const { quotas, blobs, state, isOver } = this.#options;
    const before = state();
    const keys = await quotas.keys(owner);
    // Rounds may have gone on meanwhile.
    const after = state();
    const needless = keys.filter((key) => !isNeeded(before, key) && !isNeeded(after, key));
    if (isOver()) return true;
    if (!isOpen && needless.length === keys.length) {
      if (keys.length > 0) await blobs.delete(owner);
      return false;
    }
    const prefixes = [...new Set(needless.flatMap((key) => prefixOf(key) ?? []))].slice(0, most);
    for (const prefix of prefixes) await blobs.delete(prefix);
    return true;
  }

  /** What cannot be tidied now costs room, not the run. */
  async #attempt(work: () => Promise<unknown>): Promise<void> {
    if (this.#options.isOver()) return;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof MeanfieldError)) throw error;
      this.#options.onNotice(`What workers store could not be put in order: ${messageOf(error)}`);
    }
  }

  #inTurn(worker: string, work: () => Promise<void>): Promise<void> {
    const before = this.#doing.get(worker) ?? Promise.resolve();
    const done = before.catch(() => {}).then(work);
    this.#doing.set(worker, done);
    const end = () => {
      if (this.#doing.get(worker) === done) this.#doing.delete(worker);
    };
    done.then(end, end);
    return done;
  }
}
