import { fragmentOf } from '../../averaging/fragments.js';
import { messageOf } from '../../base/errors.js';
import type { Address, Effect, MessageToWorker } from '../../rounds/index.js';
import type { RunKey } from '../../transport/signed.js';
import type { ControlChannel } from '../../transport/transport.js';
import type { DownMessage, Work } from '../protocol/down.js';
import { type UpMessage, upMessage } from '../protocol/up.js';
import { decodeMessage, encodeMessage } from '../protocol/wire.js';
import type { RunState } from './run-state.js';
import { leasedTo, type RunContext } from './step-run.js';

/** A message that does not count, and whom to tell. */
export interface Rejected {
  readonly worker: string;
  readonly about: string;
  readonly reason: string;
}

/** Reads what came in a worker's name. @returns the message, or why it is none */
export function readMessage(bytes: Uint8Array, worker: string): UpMessage | Rejected {
  try {
    const message = decodeMessage(bytes, upMessage, "a worker's message");
    if (message.worker === worker) return message;
    return { worker, about: message.type, reason: `${worker} may not speak for ${message.worker}` };
  } catch (error) {
    return { worker, about: 'message', reason: messageOf(error) };
  }
}

/** Sends the rounds machine's effects to workers, signed, with what is needed to act on them. */
export class Mailbox {
  readonly #sent = new Map<string, number>();

  constructor(
    private readonly control: ControlChannel,
    private readonly run: string,
    private readonly context: RunContext,
    private readonly key: RunKey,
    /** Of the coordinator that sends. */
    private readonly term: number,
  ) {}

  send({ worker, incarnation }: Address, message: DownMessage): void {
    const sequence = this.#sent.get(worker) ?? 0;
    this.#sent.set(worker, sequence + 1);
    const envelope = { run: this.run, worker, incarnation, term: this.term, sequence, message };
    this.control.send({ to: 'down', worker }, this.key.signed('down', encodeMessage(envelope)));
  }

  /** @param state after the step that had this effect */
  deliver(effect: MessageToWorker, state: RunState): void {
    for (const address of effect.to) {
      const message = this.#messageFor(effect, address, state);
      if (message) this.send(address, message);
    }
  }

  #messageFor(effect: MessageToWorker, { worker }: Address, state: RunState): DownMessage | null {
    switch (effect.type) {
      case 'startRound':
        return this.#start(effect, worker, state);
      case 'accepted':
        return { type: 'accepted', round: effect.round };
      case 'refuse':
        return { type: 'refuse', about: effect.about, code: effect.code, reason: effect.reason };
      case 'evict':
        return { type: 'evict', reason: effect.reason, banned: state.rounds.evicted.includes(worker) };
      default: {
        const { to: _to, ...standing } = effect;
        // The chain of the state now: it may have gone on since, and leads at least as far.
        return { ...standing, chain: state.chain };
      }
    }
  }

  #start(
    { round, base }: Extract<Effect, { type: 'startRound' }>,
    worker: string,
    { ledger, opening }: RunState,
  ): DownMessage | null {
    // A later event of the same batch may have closed it again.
    if (opening?.round !== round) return null;
    const { fragments, samplesPerStep } = this.context;
    const work = (of: number, position: number): Work => {
      const lease = [...leasedTo(ledger, worker, of)];
      const samples = lease.reduce((sum, { start, end }) => sum + end - start, 0);
      const steps = samples / samplesPerStep;
      return { steps, fragment: fragmentOf(of, fragments), position, advance: opening.advance, lease };
    };
    const next = fragments > 1 ? work(round + 1, opening.position + opening.advance) : null;
    return { type: 'startRound', round, base, ...work(round, opening.position), next };
  }
}
