import { openNatsTransport } from '../../cluster/nats/transport.js';
import type { Transport } from '../../cluster/transport.js';
import { readConnection } from '../../cluster/trust/connection-file.js';

const ANSWER_WITHIN = 5000;
const PATIENCE = 5000;

/** Asks the coordinator of a run, as its owner may. */
export class Operator {
  private constructor(private readonly transport: Transport) {}

  /** @throws MeanfieldError when the folder is no such run, or its server does not answer */
  static async open(runFolder: string): Promise<Operator> {
    const connection = await readConnection(runFolder);
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

  /** Asks once and goes. */
  static async once(runFolder: string, what: string, content: object, within?: number): Promise<unknown> {
    const operator = await Operator.open(runFolder);
    try {
      return await operator.ask(what, content, within);
    } finally {
      await operator.close();
    }
  }
}
