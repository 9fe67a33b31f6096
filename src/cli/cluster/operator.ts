import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeanfieldError } from '../../base/errors.js';
import { RefusedError } from '../../transport/errors.js';
import { openNatsTransport } from '../../transport/nats/transport.js';
import { OrderGiver } from '../../transport/orders.js';
import type { Transport } from '../../transport/transport.js';
import { readConnection } from '../../transport/trust/connection-file.js';
import { readRunKey } from '../../transport/trust/run-key.js';
import { shellQuote } from '../terminal/format.js';

const ANSWER_WITHIN = 5000;
const PATIENCE = 5000;

/** Asks the coordinator of a run, as its owner may: whoever holds the run's key. */
export class RunOperator {
  private constructor(
    private readonly runFolder: string,
    private readonly transport: Transport,
    private readonly orders: OrderGiver,
  ) {}

  /** @throws MeanfieldError when the folder is no such run, the run is over, or its server does not answer */
  static async open(runFolder: string): Promise<RunOperator> {
    const connection = await readConnection(runFolder);
    const key = await readRunKey(runFolder);
    try {
      const transport = await openNatsTransport({ ...connection, name: 'operator', patience: PATIENCE });
      return new RunOperator(runFolder, transport, new OrderGiver(transport.control, key, connection.run));
    } catch (error) {
      throw reasonOf(error, runFolder);
    }
  }

  /**
   * @param within milliseconds
   * @throws MeanfieldError with the coordinator's reason, or when the run is over, or it does not answer
   */
  async ask(what: string, content: object, within = ANSWER_WITHIN): Promise<unknown> {
    try {
      return await this.orders.give(what, content, within);
    } catch (error) {
      throw reasonOf(error, this.runFolder);
    }
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  /** Asks once and goes. @throws MeanfieldError as `open` and `ask` do */
  static async once(runFolder: string, what: string, content: object, within?: number): Promise<unknown> {
    const operator = await RunOperator.open(runFolder);
    try {
      return await operator.ask(what, content, within);
    } finally {
      await operator.close();
    }
  }
}

/** Whether a coordinator holds the folder; one that was killed seems to, until the next takes it. */
export function isCoordinatedHere(runFolder: string): boolean {
  return existsSync(join(runFolder, 'lock'));
}

/** That nobody answers has a reason where no coordinator holds the folder. */
function reasonOf(error: unknown, runFolder: string): unknown {
  const answered = error instanceof RefusedError;
  if (answered || !(error instanceof MeanfieldError) || isCoordinatedHere(runFolder)) return error;
  return new MeanfieldError(
    `The run in ${runFolder} is over, or its coordinator is: none works in this folder, and none answers from ` +
      `elsewhere. To see what there is: meanfield info ${shellQuote(runFolder)}. To go on: meanfield cluster start ` +
      `--run ${shellQuote(runFolder)} --resume`,
    { cause: error },
  );
}
