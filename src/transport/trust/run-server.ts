import type { NatsAddress } from '../nats/connect.js';
import type { OrderDesk } from '../orders.js';
import type { RunKey } from '../signed.js';
import type { Gate, Transport } from '../transport.js';

/** A NATS server with all that a run needs to use it. */
export interface RunServer {
  /** For the coordinator. */
  readonly address: NatsAddress;
  /** What replies to the coordinator come to. */
  readonly inbox: string;
  readonly gate: Gate;
  /** By which the run's coordinators sign. */
  readonly key: RunKey;
  /** For the other machines. */
  readonly invitation: string;
  /** What the user must know about who is trusted with what; undefined on a server of our own. */
  readonly notice: string | undefined;
  /**
   * Serves what workers ask of the gate itself, and what the owner asks about invitations, while this coordinator leads.
   *
   * @returns what ends it
   */
  serve(transport: Transport, desk: OrderDesk): Promise<() => void>;
  /**
   * Ends what was started for the run.
   *
   * @param finished removes what the server keeps of the run, as nobody will carry on with it
   */
  stop(finished: boolean): Promise<void>;
}
