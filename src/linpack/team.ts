import type { Pivots } from './panel.js';
import { type FactorType, type Real, zeros } from './types.js';

/** A panel that was factored, as every thread sees it. */
export interface Panel {
  /** [rows, width], row by row: L below the diagonal, U on it and above. */
  readonly factors: Real;
  readonly pivots: Pivots;
}

/** The threads that factor a matrix together; each calls the same things in the same order. */
export interface LinpackTeam {
  readonly rank: number;
  readonly size: number;
  /** Gives a panel to the others. Blocks are published in rising order, each after the one before was received. */
  publish(block: number, panel: Panel): void;
  /** The panel of a block that another thread publishes; valid until the next is received. */
  receive(block: number, rows: number, width: number): Panel;
  /** A vector that all threads see and write. */
  readonly shared: Float64Array;
  /** Adds what each thread gives, in the order of ranks: the same bits for all. `values` is overwritten. */
  sum(values: Float64Array): void;
  /** Waits until all have come here. */
  barrier(): void;
  /** Waits until turn number `turn` has come. */
  awaitTurn(turn: number): void;
  /** Ends turn number `turn`. */
  endTurn(turn: number): void;
}

/** A team of one, with nothing to wait for. */
export class Alone implements LinpackTeam {
  readonly rank = 0;
  readonly size = 1;
  readonly shared: Float64Array;

  constructor(n: number) {
    this.shared = new Float64Array(n);
  }

  publish(): void {}

  receive(): Panel {
    throw new Error('a thread that is alone has every panel itself');
  }

  sum(): void {}
  barrier(): void {}
  awaitTurn(): void {}
  endTurn(): void {}
}

/** The memory that threads of one team share; made by one, posted to all. */
export interface TeamMemory {
  readonly size: number;
  readonly n: number;
  readonly nb: number;
  /** Counters, see {@link Slot}. */
  readonly counters: SharedArrayBuffer;
  /** Two panels with their pivots. */
  readonly panels: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly pivots: readonly [SharedArrayBuffer, SharedArrayBuffer];
  readonly vector: SharedArrayBuffer;
  /** A vector of each thread's. */
  readonly partials: readonly SharedArrayBuffer[];
}

/** Places among the counters. */
const Slot = { arrived: 0, generation: 1, turn: 2, published: 3, failed: 4, received: 5 } as const;

/** Shared memory for a team. */
export function shareMemory(size: number, n: number, nb: number, type: FactorType): TeamMemory {
  const bytes = type === 'float64' ? 8 : 4;
  const share = (length: number) => new SharedArrayBuffer(length);
  return {
    size,
    n,
    nb,
    counters: share(4 * (Slot.received + size)),
    panels: [share(bytes * n * nb), share(bytes * n * nb)],
    pivots: [share(4 * nb), share(4 * nb)],
    vector: share(8 * n),
    partials: Array.from({ length: size }, () => share(8 * n)),
  };
}

/** Ends what waits when one of a team has failed; whose failure it is says the one that failed. */
export class TeamFailure extends Error {
  override readonly name = 'TeamFailure';
}

/** A team of threads that wait for one another by Atomics. Arrays from shared memory are copied, since ONNX Runtime refuses them. */
export class SharedTeam implements LinpackTeam {
  readonly size: number;
  readonly shared: Float64Array;
  readonly #counters: Int32Array;
  readonly #copy: Real;
  readonly #pivots: Pivots;

  constructor(
    readonly memory: TeamMemory,
    readonly rank: number,
    private readonly type: FactorType,
  ) {
    this.size = memory.size;
    this.shared = new Float64Array(memory.vector);
    this.#counters = new Int32Array(memory.counters);
    const { n, nb } = memory;
    this.#copy = zeros(type, n * nb);
    this.#pivots = new Int32Array(nb);
  }

  publish(block: number, { factors, pivots }: Panel): void {
    const slot = (block % 2) as 0 | 1;
    // The slot holds the panel before the last; who is behind may not have taken it yet.
    for (let rank = 0; rank < this.size; rank++) {
      if (rank !== this.rank) this.#await(Slot.received + rank, (taken) => taken >= block - 1);
    }
    this.#view(slot).set(factors);
    new Int32Array(this.memory.pivots[slot]).set(pivots);
    this.#set(Slot.received + this.rank, block + 1);
    this.#set(Slot.published, block + 1);
  }

  receive(block: number, rows: number, width: number): Panel {
    const slot = (block % 2) as 0 | 1;
    this.#await(Slot.published, (published) => published > block);
    const factors = this.#copy.subarray(0, rows * width);
    factors.set(this.#view(slot).subarray(0, rows * width));
    this.#pivots.set(new Int32Array(this.memory.pivots[slot]));
    this.#set(Slot.received + this.rank, block + 1);
    return { factors, pivots: this.#pivots };
  }

  sum(values: Float64Array): void {
    new Float64Array(this.memory.partials[this.rank]!).set(values);
    this.barrier();
    values.fill(0);
    for (const partial of this.memory.partials) {
      const other = new Float64Array(partial);
      for (let i = 0; i < values.length; i++) values[i] = values[i]! + other[i]!;
    }
    this.barrier();
  }

  barrier(): void {
    const generation = Atomics.load(this.#counters, Slot.generation);
    if (Atomics.add(this.#counters, Slot.arrived, 1) === this.size - 1) {
      Atomics.store(this.#counters, Slot.arrived, 0);
      this.#set(Slot.generation, generation + 1);
    } else {
      this.#await(Slot.generation, (now) => now !== generation);
    }
  }

  awaitTurn(turn: number): void {
    this.#await(Slot.turn, (now) => now >= turn);
  }

  endTurn(turn: number): void {
    this.#set(Slot.turn, turn + 1);
  }

  /** Wakes all that wait, who then fail. */
  fail(): void {
    Atomics.store(this.#counters, Slot.failed, 1);
    for (let i = 0; i < this.#counters.length; i++) Atomics.notify(this.#counters, i);
  }

  #view(slot: 0 | 1): Real {
    const buffer = this.memory.panels[slot];
    return this.type === 'float64' ? new Float64Array(buffer) : new Float32Array(buffer);
  }

  #set(slot: number, value: number): void {
    Atomics.store(this.#counters, slot, value);
    Atomics.notify(this.#counters, slot);
  }

  #await(slot: number, done: (value: number) => boolean): void {
    for (;;) {
      const value = Atomics.load(this.#counters, slot);
      if (done(value)) return;
      if (Atomics.load(this.#counters, Slot.failed) !== 0) throw new TeamFailure();
      // Bounded, so that a failure told between the two looks above is heard.
      Atomics.wait(this.#counters, slot, value, 100);
    }
  }
}
