import { messageOf } from '../../base/errors.js';
import { nearestNames } from '../../base/nearest.js';
import type { ServedModel } from '../../inference/completions/completion.js';
import { FINAL, HttpError } from '../http/http-error.js';

/** A model that can be asked for by its name, and is opened when it is. */
export interface ShelfEntry {
  readonly name: string;
  /** The name of the model that an adapter stands beside. */
  readonly parent?: string | undefined;
  open(): Promise<ServedModel>;
  /** Bytes of memory that it takes, about, without the keys and values of texts. */
  memory(): Promise<number>;
  /** What tells one state of its files from another; left out where they are not followed. */
  version?(): Promise<string>;
}

/** What a shelf tells of what it does. */
export type ShelfEvent =
  /** The work of opening it has begun, in a thread of its own. */
  | { readonly type: 'opening'; readonly model: string }
  | { readonly type: 'opened'; readonly model: string; readonly seconds: number; readonly notices?: readonly string[] }
  | { readonly type: 'closed'; readonly model: string; readonly reason: 'memory' | 'newer' }
  | { readonly type: 'failed'; readonly model: string; readonly error: unknown };

/** A model in use, which is not closed before {@link release}. */
export interface ModelLease {
  readonly model: ServedModel;
  readonly release: () => void;
}

/** A model that is open. */
interface Open {
  readonly entry: ShelfEntry;
  readonly model: ServedModel;
  readonly bytes: number;
  readonly version: string | undefined;
  users: number;
  /** When it was last asked for, counted in requests. */
  used: number;
  /** It is closed when nobody uses it any more. */
  leaving: boolean;
}

/** Models by name: each is opened when first asked for, and those that were not asked for longest give way to others. */
export class Shelf {
  readonly #entries: ReadonlyMap<string, ShelfEntry>;
  readonly #open = new Map<string, Open>();
  /** Those that others have replaced while they were in use. */
  readonly #leaving = new Set<Open>();
  readonly #opening = new Map<string, Promise<Open>>();
  /** One is opened at a time, as what it takes is counted against the budget. */
  #turn: Promise<unknown> = Promise.resolve();
  /** What following a model failed with last: it is told once, not at every look. */
  readonly #faults = new Map<string, string>();
  #asked = 0;
  #closed = false;

  /** @param budget bytes of all that are open */
  constructor(
    entries: readonly ShelfEntry[],
    private readonly budget: number,
    private readonly tell: (event: ShelfEvent) => void,
  ) {
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
  }

  get entries(): readonly ShelfEntry[] {
    return [...this.#entries.values()];
  }

  /** Those that are open, for what is told of them. */
  get open(): readonly ServedModel[] {
    return [...this.#open.values()].map(({ model }) => model);
  }

  /** The model of a name where it is open. */
  opened(name: string): ServedModel | undefined {
    return this.#open.get(name)?.model;
  }

  /** @throws HttpError 404 for a name that no model has */
  entry(name: string): ShelfEntry {
    const found = this.#entries.get(name);
    if (found !== undefined) return found;
    const near = nearestNames(name, [...this.#entries.keys()]).map((each) => `"${each}"`);
    throw new HttpError(404, `The model "${name.slice(0, 100)}" is not served here. Served: ${near.join(', ')}.`, {
      param: 'model',
      code: 'model_not_found',
      type: 'invalid_request_error',
    });
  }

  /**
   * A model, opened where it is not.
   *
   * @throws HttpError 404 for a name that no model has, 503 when it cannot be opened
   */
  async lease(name: string): Promise<ModelLease> {
    const entry = this.entry(name);
    const open = this.#open.get(name) ?? (await this.#opened(entry));
    // Between its opening and now it may have been told to leave.
    if (this.#open.get(name) !== open && open.users === 0 && open.leaving) return this.lease(name);
    open.users++;
    open.used = ++this.#asked;
    let released = false;
    return {
      model: open.model,
      release: () => {
        if (released) return;
        released = true;
        open.users--;
        if (open.leaving && open.users === 0) void this.#close(open);
      },
    };
  }

  /** Opens anew what has changed on disk; requests that run end with the one that they began with. */
  async follow(): Promise<void> {
    for (const open of [...this.#open.values()]) {
      const { entry } = open;
      if (entry.version === undefined || this.#closed) continue;
      try {
        const version = await entry.version();
        if (version === open.version) {
          this.#faults.delete(entry.name);
          continue;
        }
        const newer = await this.#inTurn(() => this.#start(entry));
        this.#open.set(entry.name, newer);
        this.#leave(open);
      } catch (error) {
        // The one that is open goes on; half a change is looked at again.
        if (this.#faults.get(entry.name) === messageOf(error)) continue;
        this.#faults.set(entry.name, messageOf(error));
        this.tell({ type: 'failed', model: entry.name, error });
      }
    }
  }

  /** Closes all. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn.catch(() => {});
    const all = [...this.#open.values(), ...this.#leaving];
    this.#open.clear();
    this.#leaving.clear();
    await Promise.all(all.map(({ model }) => model.close()));
  }

  #opened(entry: ShelfEntry): Promise<Open> {
    const opening = this.#opening.get(entry.name);
    if (opening !== undefined) return opening;
    const started = this.#inTurn(async () => {
      await this.#makeRoom(entry);
      const open = await this.#start(entry);
      this.#open.set(entry.name, open);
      return open;
    }).catch((error: unknown) => {
      this.tell({ type: 'failed', model: entry.name, error });
      throw error instanceof HttpError
        ? error
        : new HttpError(503, `The model "${entry.name}" cannot be opened. Why stands in the log of the server.`, {
            code: 'model_unavailable',
            headers: FINAL,
            cause: error,
          });
    });
    this.#opening.set(entry.name, started);
    return started.finally(() => this.#opening.delete(entry.name));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.catch(() => {}).then(() => work());
    this.#turn = done.catch(() => {});
    return done;
  }

  async #start(entry: ShelfEntry): Promise<Open> {
    if (this.#closed) throw new HttpError(503, 'The server is stopping.', { code: 'stopping' });
    const began = performance.now();
    // Before it is read: a change in between is then seen.
    const version = await entry.version?.();
    const bytes = await entry.memory();
    const opening = entry.open();
    this.tell({ type: 'opening', model: entry.name });
    const model = await opening;
    const seconds = (performance.now() - began) / 1000;
    const { notices = [] } = model;
    this.tell({ type: 'opened', model: entry.name, seconds, ...(notices.length > 0 && { notices }) });
    return { entry, model, bytes, version, users: 0, used: ++this.#asked, leaving: false };
  }

  /** Closes those that were not asked for longest until a model has room. */
  async #makeRoom(entry: ShelfEntry): Promise<void> {
    const wanted = await entry.memory();
    const held = () =>
      [...this.#open.values(), ...this.#leaving].reduce(
        (sum, { bytes, model }) => sum + bytes + (model.load().cacheBytes ?? 0),
        0,
      );
    const idle = [...this.#open.values()].filter(({ users }) => users === 0).sort((a, b) => a.used - b.used);
    for (const open of idle) {
      if (held() + wanted <= this.budget) return;
      // Since the list was made somebody may have asked for it.
      if (open.users > 0) continue;
      this.#open.delete(open.entry.name);
      this.tell({ type: 'closed', model: open.entry.name, reason: 'memory' });
      await open.model.close();
    }
    // One alone is opened whatever it takes: nothing else could give way.
    if (held() + wanted > this.budget && held() > 0)
      throw new HttpError(
        503,
        `No memory is left for the model "${entry.name}" while others answer. Ask again later.`,
        {
          code: 'model_unavailable',
          headers: { 'retry-after': '5' },
        },
      );
  }

  #leave(open: Open): void {
    this.tell({ type: 'closed', model: open.entry.name, reason: 'newer' });
    open.leaving = true;
    if (open.users === 0) void this.#close(open);
    else this.#leaving.add(open);
  }

  async #close(open: Open): Promise<void> {
    this.#leaving.delete(open);
    await open.model.close().catch((error: unknown) => {
      this.tell({ type: 'failed', model: open.entry.name, error: new Error(`closing: ${messageOf(error)}`) });
    });
  }
}
