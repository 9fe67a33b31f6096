import type { NatsAddress } from '../nats/connect.js';
import type { RunKey } from '../signed.js';
import type { ControlChannel, Gate } from '../transport.js';

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
  /** Serves what workers ask of the gate itself, once the coordinator is connected. */
  serve(control: ControlChannel): void;
  /**
   * Ends what was started for the run.
   *
   * @param finished removes what the server keeps of the run, as nobody will carry on with it
   */
  stop(finished: boolean): Promise<void>;
}
