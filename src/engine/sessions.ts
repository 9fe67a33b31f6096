import { encode, type Program, type Tensor } from '../graph/index.js';
import type { Engine, Session, SessionOptions } from './engine.js';

/** Compiled graphs by name, each made when it is first wanted: the sizes that are needed are known only then. */
export class Sessions {
  readonly #compiled = new Map<string, Promise<Session>>();

  constructor(
    private readonly engine: Engine,
    private readonly compile: SessionOptions = {},
  ) {}

  /** @param trace gives the graph's outputs by name; called once for each `key` */
  get(key: string, trace: () => Readonly<Record<string, Tensor>>): Promise<Session> {
    return this.of(key, ({ target }) => encode(trace(), target));
  }

  /** @param program gives the graph for this engine; called once for each `key` */
  of(key: string, program: (engine: Engine) => Program): Promise<Session> {
    let session = this.#compiled.get(key);
    if (!session) {
      session = this.engine.compile(program(this.engine), this.compile);
      this.#compiled.set(key, session);
    }
    return session;
  }

  async dispose(): Promise<void> {
    for (const session of this.#compiled.values()) await (await session).dispose();
    this.#compiled.clear();
  }
}
