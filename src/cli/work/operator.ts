import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeanfieldError } from '../../base/errors.js';
import { openNatsTransport } from '../../cluster/nats/transport.js';
import type { Transport } from '../../cluster/transport.js';
import { RefusedError } from '../../cluster/transport-errors.js';
import { type RunConnection, readConnection } from '../../cluster/trust/connection-file.js';
import { shellQuote } from '../format.js';

const ANSWER_WITHIN = 5000;
const PATIENCE = 5000;

/** Asks the coordinator of a run, as its owner may. */
export class Operator {
  private constructor(private readonly transport: Transport) {}

  /** @throws MeanfieldError when the folder is no such run, or its server does not answer */
  static async open(runFolder: string): Promise<Operator> {
    return Operator.connect(await readConnection(runFolder));
  }

  private static async connect(connection: RunConnection): Promise<Operator> {
    return new Operator(await openNatsTransport({ ...connection, name: 'operator', patience: PATIENCE }));
  }

  /**
   * @param within milliseconds
   * @throws MeanfieldError with the coordinator's reason, or when it does not answer
   */
  async ask(what: string, content: object, within = ANSWER_WITHIN): Promise<unknown> {
    const message = new TextEncoder().encode(JSON.stringify(content));
    const answer = await this.transport.control.ask(what, message, within);
    return JSON.parse(new TextDecoder().decode(answer));
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  /**
   * Asks once and goes.
   *
   * @throws MeanfieldError as `open` and `ask` do; where nobody answers for a run that has ended, it says that
   */
  static async once(runFolder: string, what: string, content: object, within?: number): Promise<unknown> {
    const connection = await readConnection(runFolder);
    try {
      const operator = await Operator.connect(connection);
      try {
        return await operator.ask(what, content, within);
      } finally {
        await operator.close();
      }
    } catch (error) {
      const answered = error instanceof RefusedError;
      if (answered || !(error instanceof MeanfieldError) || isCoordinatedHere(runFolder)) throw error;
      throw new MeanfieldError(
        `The run in ${runFolder} is over, or its coordinator is: none works in this folder, and none answers from ` +
          `elsewhere. To see what there is: meanfield info ${shellQuote(runFolder)}. To go on: meanfield cluster start ` +
          `--run ${shellQuote(runFolder)} --resume`,
        { cause: error },
      );
    }
  }
}

/** Whether a coordinator holds the folder; one that was killed seems to, until the next takes it. */
export function isCoordinatedHere(runFolder: string): boolean {
  return existsSync(join(runFolder, 'lock'));
}
