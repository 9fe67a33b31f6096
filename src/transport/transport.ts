/** What rounds between machines need of a message system. NATS with JetStream is one; the tests' in memory another. */
export interface Transport {
  /** Small messages: at most once, unordered between subjects, never behind blobs. */
  readonly control: ControlChannel;
  /** Tensors and files: stored, chunked, hashed. */
  readonly blobs: BlobStore;
  /** How much each may store: for the coordinator. */
  readonly quotas: BlobQuotas;
  /** The run's state: small values, compared and set. */
  readonly state: StateStore;
  /** Calls back when the connection is lost, and when it is back. */
  onStatus(listener: (status: TransportStatus) => void): () => void;
  close(): Promise<void>;
}

export interface TransportStatus {
  readonly connected: boolean;
  /** For people: what happened, and what happens next. */
  readonly reason: string;
  /** Whether the system has taken our right to take part away: it will not have us again, as after an eviction. */
  readonly shutOut: boolean;
}

/**
 * Where a control message goes. A worker may send `up` under its own name alone and hears `down` of its own name and
 * `all`; the coordinator hears every `up`. `ask` is a request that has an answer: joining, the status.
 */
export type ControlAddress =
  | { readonly to: 'up'; readonly worker: string }
  | { readonly to: 'down'; readonly worker: string }
  | { readonly to: 'all' }
  | { readonly to: 'ask'; readonly what: string; readonly by?: string };

export interface ControlChannel {
  /** @throws MeanfieldError when the message is larger than the system takes */
  send(address: ControlAddress, message: Uint8Array): void;
  /** `up` with worker `*` hears all workers. */
  listen(address: ControlAddress, handler: (message: Uint8Array, from: ControlAddress) => void): () => void;
  /**
   * Answers what is asked of this; at most one of the listeners is asked.
   *
   * @param handler gets also by which invitation one asks, where one asks by any, and where the server sees the asker,
   * where it tells
   */
  answer(
    what: string,
    handler: (message: Uint8Array, by?: string, address?: string) => Promise<Uint8Array>,
  ): () => void;
  /**
   * @param by the invitation by which one asks
   * @throws MeanfieldError when nobody answers within `timeout` milliseconds
   */
  ask(what: string, message: Uint8Array, timeout: number, by?: string): Promise<Uint8Array>;
}

/** What {@link BlobStore.put} stored: enough to get it again and to know it whole. */
export interface BlobRef {
  /** `owner/…`: segments of letters, digits, `-` and `_`; a worker may only write under its own name. */
  readonly key: string;
  readonly bytes: number;
  readonly chunks: number;
  /** sha256, hexadecimal. */
  readonly hash: string;
}

export interface BlobStore {
  /**
   * Resolves when the system has acknowledged every chunk. A key is written once: the same again must have the same
   * content, but where we may delete as well, which replaces it.
   *
   * @throws QuotaError when its owner may not store as much
   * @throws MeanfieldError when something else lies there
   */
  put(key: string, content: Uint8Array, signal?: AbortSignal): Promise<BlobRef>;
  /**
   * @param into an array of the right size to be filled, instead of a new one
   * @throws BlobMissingError when a chunk is not there, BlobDamagedError when the hash differs
   */
  get(ref: BlobRef, into?: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>;
  /** Deletes every blob whose key begins with these whole segments. */
  delete(prefix: string): Promise<void>;
  /** Bytes that went out and came in since the start. */
  readonly traffic: { readonly sent: number; readonly received: number };
}

/**
 * The coordinator's power over what each owner of blobs, the first segment of their keys, may store. A worker has no room
 * before it is granted; the run's own is there from the start.
 */
export interface BlobQuotas {
  /**
   * Lets an owner store so many bytes, as the system counts them: those of the blobs and a little more. What is there
   * stays, and counts.
   *
   * @throws MeanfieldError when the system cannot set aside as many
   */
  grant(owner: string, bytes: number): Promise<void>;
  /** Lets an owner store nothing more; what is there stays, and what is not used is set aside no longer. */
  withdraw(owner: string): Promise<void>;
  /** Keys of the blobs of an owner, also those that are stored in part. */
  keys(owner: string): Promise<readonly string[]>;
  /** Workers that were granted room, and not removed. */
  owners(): Promise<readonly string[]>;
  /** Takes an owner's room away with all that is in it. Nobody should still look there: he would wait in vain. */
  remove(owner: string): Promise<void>;
}

export interface StateValue {
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface StateStore {
  get(key: string): Promise<StateValue | undefined>;
  /**
   * Sets a value if nobody else has since: `revision` is the one last seen, 0 for a key that is not there.
   *
   * @returns the new revision
   * @throws StateConflictError when another was faster
   */
  set(key: string, value: Uint8Array, revision: number): Promise<number>;
  watch(key: string, listener: (value: StateValue) => void): Promise<() => void>;
}

/**
 * The coordinator's power over who may use the message system. The coordinator calls it when it has decided to take a
 * worker in or to throw it out; NATS implements it by users, the tests by a set of names.
 */
export interface Gate {
  /**
   * Whether a person must approve the holder of a key, who asks by this invitation.
   *
   * @throws MeanfieldError when the invitation is not good (any more)
   */
  asksPerson(key: string, by?: string): boolean;
  /**
   * Lets the holder of a key in under names of workers, from now on: those of one process. Resolves when the message
   * system knows it. One change, however many names.
   *
   * @param key what {@link Door.key} gave
   * @param by the invitation by which it asks
   * @returns the pass that {@link Door.enter} wants: for the answer to the request to join
   * @throws MeanfieldError when the key or the invitation is not good (any more)
   */
  admit(workers: readonly string[], key: string, by?: string): Promise<string>;
  /** Shuts workers out for good, and all that share a key with one; their connections end at once. */
  evict(workers: readonly string[]): Promise<void>;
  /** Forgets workers that will not come back, and each key of which no worker is left. */
  forget(workers: readonly string[]): Promise<void>;
}

/** Where a machine with an invitation stands: it may ask to be let in, and nothing else. */
export interface Door {
  /** Public key of this process. The secret half never leaves it. */
  readonly key: string;
  /** Public key of the run's coordinators: what they do not sign does not count. */
  readonly coordinator: string;
  /** Of the servers in the invitation, without ports. */
  readonly hosts: readonly string[];
  /** @throws MeanfieldError when nobody answers within `timeout` milliseconds */
  ask(what: string, message: Uint8Array, timeout: number): Promise<Uint8Array>;
  /**
   * A transport of one's own, by the pass that the coordinator's answer held.
   *
   * @param workers the names under which it will speak
   */
  enter(workers: readonly string[], pass: string): Promise<Transport>;
  close(): Promise<void>;
}
