import { setTimeout as sleep } from 'node:timers/promises';
import { MeanfieldError } from '../../base/errors.js';
import { StateConflictError } from '../../transport/errors.js';
import type { RunKey } from '../../transport/signed.js';
import type { StateStore } from '../../transport/transport.js';
import { encodeState, type RunState } from './run-state.js';

/** The state's key in the message system. */
export const STATE = 'state';
/** Between two attempts to store the state: milliseconds. */
const AGAIN = 500;

/** What {@link StateWriter} works with. */
export interface StateWriterOptions {
  readonly store: StateStore;
  /** By which it is signed. */
  readonly key: RunKey;
  /** Of what is stored. */
  readonly revision: number;
  /** Whether this process leads no more. */
  readonly isOver: () => boolean;
  readonly onNotice: (message: string) => void;
}

/** Writes a run's state into the message system, where only the one who leads can replace it. */
export class StateWriter {
  readonly #options: StateWriterOptions;
  #revision: number;

  constructor(options: StateWriterOptions) {
    this.#options = options;
    this.#revision = options.revision;
  }

  /** Waits while the message system is away. @returns false when another has written since, or this one is over */
  async replace(state: RunState): Promise<boolean> {
    const { store, key, isOver, onNotice } = this.#options;
    const value = key.signed('state', encodeState(state));
    while (!isOver()) {
      try {
        this.#revision = await store.set(STATE, value, this.#revision);
        return true;
      } catch (error) {
        if (error instanceof StateConflictError) return this.#isOwn(value);
        if (!(error instanceof MeanfieldError)) throw error;
        // Nothing can be decided meanwhile; who cannot write for too long leads no more, and this ends.
        onNotice(`The run's state cannot be stored now: ${error.message}`);
        await sleep(AGAIN);
      }
    }
    return false;
  }

  /** A write of ours whose acknowledgement was lost looks like another's. */
  async #isOwn(value: Uint8Array): Promise<boolean> {
    const current = await this.#options.store.get(STATE);
    if (!current || Buffer.compare(current.value, value) !== 0) return false;
    this.#revision = current.revision;
    return true;
  }
}
