import { encode, type Program, type Tensor } from '../graph/index.js';
import type { Engine, Session, SessionOptions } from './engine.js';

/** What is compiled, by name, each made when it is first wanted: the sizes that are needed are known only then. */
export class Compiled<S extends { dispose(): Promise<void> }> {
  readonly #made = new Map<string, Promise<S>>();

  /** @param make called once for each `key` */
  of(key: string, make: () => Promise<S>): Promise<S> {
    let made = this.#made.get(key);
    if (!made) {
      made = make();
      this.#made.set(key, made);
    }
    return made;
  }

  async dispose(): Promise<void> {
    for (const made of this.#made.values()) await (await made).dispose();
    this.#made.clear();
  }
}

/** An engine's compiled graphs. */
export class Sessions {
  readonly #compiled = new Compiled<Session>();

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
    return this.#compiled.of(key, () => this.engine.compile(program(this.engine), this.compile));
  }

  async dispose(): Promise<void> {
    await this.#compiled.dispose();
  }
}
