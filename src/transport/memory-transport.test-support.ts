import { MeanfieldError } from '../base/errors.js';
import { sha256 } from '../base/hash.js';
import { Random } from '../base/random.js';
import { BlobDamagedError, BlobMissingError, QuotaError, StateConflictError } from './errors.js';
import { RunKey } from './signed.js';
import type {
  BlobQuotas,
  BlobRef,
  BlobStore,
  ControlAddress,
  ControlChannel,
  Door,
  Gate,
  StateStore,
  StateValue,
  Transport,
} from './transport.js';

/** Milliseconds after which a question counts as lost, at most. */
const PATIENCE = 300;

/** A whole message system in this process: what is stored outlives its clients; lines can lose, delay and be cut. */
export class MemoryNetwork {
  /** Of the run's coordinators; as of one that is started again. */
  key = RunKey.fromPem(RunKey.make().toPem());
  readonly blobs = new Map<string, Uint8Array>();
  /** Bytes that each worker may store. */
  readonly quotas = new Map<string, number>();
  /** Bytes that there are for all of them. */
  capacity = Number.POSITIVE_INFINITY;
  readonly state = new Map<string, { readonly value: Uint8Array; readonly revision: number }>();
  /** Of control messages: probability of loss, and milliseconds of delay at most. */
  loss = 0;
  delay = 0;
  /** Milliseconds that each blob takes. */
  blobDelay = 0;
  /** Whether a person must approve who asks to join. */
  approve = false;
  /** Called before a value is set, and after that. */
  onSet: (key: string, when: 'before' | 'after') => void = () => {};
  /** Sees each control message; false drops it. */
  filter: (address: ControlAddress, message: Uint8Array) => boolean = () => true;
  readonly #random = new Random(7, 'network');
  readonly #listeners = new Set<{ client: Client; address: ControlAddress; handler: Handler }>();
  readonly #answers = new Map<string, { client: Client; handler: (message: Uint8Array) => Promise<Uint8Array> }[]>();
  readonly #watchers = new Set<{ client: Client; key: string; listener: (value: StateValue) => void }>();
  readonly #keys = new Map<string, string>();
  readonly #clients = new Map<string, Client>();
  #revision = 0;
  #doors = 0;

  /** A client with the coordinator's rights. */
  connect(): { readonly transport: Client; readonly gate: Gate; readonly key: RunKey } {
    const transport = new Client(this, null);
    const gate: Gate = {
      asksPerson: () => this.approve,
      admit: async (workers, key) => {
        for (const worker of workers) this.#keys.set(worker, key);
        return `pass-${key}`;
      },
      evict: async (workers) => {
        for (const worker of workers) {
          const key = this.#keys.get(worker);
          for (const [name, other] of this.#keys) if (other === key) this.#keys.delete(name);
          this.#clients.get(worker)?.cut();
        }
      },
      forget: async (workers) => {
        for (const worker of workers) this.#keys.delete(worker);
      },
    };
    return { transport, gate, key: this.key };
  }

  door(): Door & { transport?: Client } {
    const key = `key-${++this.#doors}`;
    const outside = new Client(this, []);
    const door: Door & { transport?: Client } = {
      key,
      coordinator: this.key.public,
      hosts: ['127.0.0.1'],
      ask: (what, message, timeout) => outside.control.ask(what, message, timeout),
      enter: async (workers, pass) => {
        const known = pass === `pass-${key}` && workers.every((worker) => this.#keys.get(worker) === key);
        if (!known) throw new MeanfieldError('This pass opens nothing here.');
        const client = new Client(this, workers);
        for (const worker of workers) this.#clients.set(worker, client);
        door.transport = client;
        return client;
      },
      close: async () => {},
    };
    return door;
  }

  /** Cuts off all clients that speak for these workers, until healed. */
  partition(workers: readonly string[], cut: boolean): void {
    for (const worker of workers) this.#clients.get(worker)!.partitioned = cut;
  }

  send(client: Client, address: ControlAddress, message: Uint8Array): void {
    if (!client.reachable || !this.filter(address, message) || this.#random.uniform() < this.loss) return;
    const copy = message.slice();
    for (const { client: other, address: wanted, handler } of this.#listeners) {
      if (!matches(wanted, address)) continue;
      this.later(() => {
        if (other.reachable) handler(copy, address);
      });
    }
  }

  later(run: () => void): void {
    if (this.delay > 0) setTimeout(run, this.#random.uniform() * this.delay);
    else setImmediate(run);
  }

  listen(client: Client, address: ControlAddress, handler: Handler): () => void {
    const entry = { client, address, handler };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  answer(client: Client, what: string, handler: (message: Uint8Array) => Promise<Uint8Array>): () => void {
    const entry = { client, handler };
    this.#answers.set(what, [...(this.#answers.get(what) ?? []), entry]);
    return () => {
      this.#answers.set(
        what,
        (this.#answers.get(what) ?? []).filter((one) => one !== entry),
      );
    };
  }

  async ask(client: Client, what: string, message: Uint8Array, timeout: number): Promise<Uint8Array> {
    const one = (this.#answers.get(what) ?? []).find((entry) => entry.client.reachable);
    const nobody = new MeanfieldError(`Nobody answers what is asked of ${what}.`);
    if (!client.reachable || !one) throw nobody;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(nobody), Math.min(timeout, PATIENCE));
    });
    return Promise.race([one.handler(message), late]).finally(() => clearTimeout(timer));
  }

  set(key: string, value: Uint8Array, revision: number): number {
    if ((this.state.get(key)?.revision ?? 0) !== revision)
      throw new StateConflictError(`${key} is not at revision ${revision}`);
    const stored = { value: value.slice(), revision: ++this.#revision };
    this.state.set(key, stored);
    for (const { client, key: wanted, listener } of this.#watchers)
      if (wanted === key && client.reachable) listener(stored);
    return stored.revision;
  }

  watch(client: Client, key: string, listener: (value: StateValue) => void): () => void {
    const entry = { client, key, listener };
    this.#watchers.add(entry);
    return () => this.#watchers.delete(entry);
  }
}

type Handler = (message: Uint8Array, from: ControlAddress) => void;

function matches(wanted: ControlAddress, address: ControlAddress): boolean {
  if (wanted.to !== address.to) return false;
  if (wanted.to === 'up' && address.to === 'up') return wanted.worker === '*' || wanted.worker === address.worker;
  if (wanted.to === 'down' && address.to === 'down') return wanted.worker === address.worker;
  return true;
}

/** One connection. `workers`: under whose names it may speak and write; null: all. */
export class Client implements Transport {
  partitioned = false;
  #dead = false;
  readonly #traffic = { sent: 0, received: 0 };
  readonly control: ControlChannel;
  readonly blobs: BlobStore;
  readonly quotas: BlobQuotas;
  readonly state: StateStore;

  constructor(network: MemoryNetwork, workers: readonly string[] | null) {
    const alive = () => {
      if (this.#dead) throw new Error('The process was killed.');
      if (this.partitioned) throw new MeanfieldError('The connection is lost.');
    };
    this.control = {
      send: (address, message) => {
        if (address.to === 'up' && workers !== null && !workers.includes(address.worker))
          throw new MeanfieldError(`May not speak as ${address.worker}.`);
        network.send(this, address, message);
      },
      listen: (address, handler) => network.listen(this, address, handler),
      answer: (what, handler) => network.answer(this, what, handler),
      ask: (what, message, timeout) => network.ask(this, what, message, timeout),
    };
    this.blobs = {
      traffic: this.#traffic,
      put: async (key, content) => {
        if (workers !== null && !workers.includes(key.slice(0, key.indexOf('/'))))
          throw new MeanfieldError(`May not write ${key}.`);
        if (network.blobDelay > 0) await new Promise((resolve) => setTimeout(resolve, network.blobDelay));
        alive();
        const before = network.blobs.get(key);
        if (workers !== null && before && Buffer.compare(before, content) !== 0)
          throw new MeanfieldError(`${key} is written already.`);
        const owner = key.slice(0, key.indexOf('/'));
        if (workers !== null && stored(network, owner) + content.length > (network.quotas.get(owner) ?? 0))
          throw new QuotaError(`${owner} may not store ${content.length} bytes more.`);
        network.blobs.set(key, content.slice());
        this.#traffic.sent += content.length;
        return { key, bytes: content.length, chunks: 1, hash: sha256(content) };
      },
      get: async (ref, into) => {
        if (network.blobDelay > 0) await new Promise((resolve) => setTimeout(resolve, network.blobDelay));
        alive();
        const content = await found(network, ref);
        this.#traffic.received += content.length;
        if (!into) return content.slice();
        into.set(content);
        return into;
      },
      delete: async (prefix) => {
        alive();
        for (const key of network.blobs.keys())
          if (key === prefix || key.startsWith(`${prefix}/`)) network.blobs.delete(key);
      },
    };
    const keys = (owner: string) => [...network.blobs.keys()].filter((key) => key.startsWith(`${owner}/`));
    const leads = () => {
      alive();
      if (workers !== null) throw new MeanfieldError('Only the coordinator grants quotas.');
    };
    this.quotas = {
      grant: async (owner, bytes) => {
        leads();
        const others = [...network.quotas].reduce((sum, [name, own]) => sum + (name === owner ? 0 : own), 0);
        if (others + bytes > network.capacity) throw new MeanfieldError(`There is no room for ${bytes} bytes.`);
        network.quotas.set(owner, bytes);
      },
      withdraw: async (owner) => {
        leads();
        if (network.quotas.has(owner)) network.quotas.set(owner, 0);
      },
      keys: async (owner) => {
        leads();
        return keys(owner);
      },
      owners: async () => {
        leads();
        return [...network.quotas.keys()];
      },
      remove: async (owner) => {
        leads();
        for (const key of keys(owner)) network.blobs.delete(key);
        network.quotas.delete(owner);
      },
    };
    this.state = {
      get: async (key) => {
        alive();
        return network.state.get(key);
      },
      set: async (key, value, revision) => {
        alive();
        network.onSet(key, 'before');
        alive();
        const set = network.set(key, value, revision);
        network.onSet(key, 'after');
        alive();
        return set;
      },
      watch: async (key, listener) => network.watch(this, key, listener),
    };
  }

  get reachable(): boolean {
    return !this.#dead && !this.partitioned;
  }

  /** As if the process had been killed, or its right to speak withdrawn. */
  cut(): void {
    this.#dead = true;
  }

  onStatus(): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    this.#dead = true;
  }
}

/** Bytes that an owner has stored. */
function stored({ blobs }: MemoryNetwork, owner: string): number {
  return [...blobs].reduce((sum, [key, { length }]) => sum + (key.startsWith(`${owner}/`) ? length : 0), 0);
}

async function found(network: MemoryNetwork, ref: BlobRef): Promise<Uint8Array> {
  const content = network.blobs.get(ref.key);
  if (!content) throw new BlobMissingError(`${ref.key} is not stored.`);
  if (sha256(content) !== ref.hash) throw new BlobDamagedError(`${ref.key} is damaged.`);
  return content;
}
