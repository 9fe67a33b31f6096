import type { CompileOptions, Engine, Session } from '../engine/engine.js';
import { encode, type Tensor } from '../graph/index.js';

/** Compiled graphs by name, each made when it is first wanted: sizes of ranges are known only then. */
export class Sessions {
  readonly #compiled = new Map<string, Promise<Session>>();

  constructor(
    private readonly engine: Engine,
    private readonly compile: CompileOptions = {},
  ) {}

  /** @param trace gives the graph's outputs by name; called once for each `key` */
  get(key: string, trace: () => Record<string, Tensor>): Promise<Session> {
    let session = this.#compiled.get(key);
    if (!session) {
      session = this.engine.compile(encode(trace(), this.engine.target), this.compile);
      this.#compiled.set(key, session);
    }
    return session;
  }

  async dispose(): Promise<void> {
    for (const session of this.#compiled.values()) await (await session).dispose();
    this.#compiled.clear();
  }
}
