/// <reference lib="es2024.sharedmemory" />
/*
 * Operations of the threads of one process, through memory that all of them see. ONNX Runtime takes no such memory, so that
 * values are copied in and out of it; and nobody blocks its thread, so that one that waits still hears what it is told.
 */
import { MeanfieldError } from '../base/errors.js';
import type { Range } from '../training/ranges.js';
import type { Collective } from '../training/streamed/sharded/collective.js';

/** The memory through which ranks reach each other. It is sent to their threads, and not moved. */
export interface CollectiveMemory {
  readonly ranks: number;
  /** By {@link COUNTERS}, then by rank. */
  readonly counters: SharedArrayBuffer;
  /** What all-gathers go through, by turns. */
  readonly gathered: readonly [SharedArrayBuffer, SharedArrayBuffer];
  /** What reduce-scatters sum in. */
  readonly reduced: SharedArrayBuffer;
  /** Numbers of each rank, by turns. */
  readonly numbers: SharedArrayBuffer;
  /** Whether a rank has failed: the bytes of what with, and those. */
  readonly failure: SharedArrayBuffer;
}

/** Operations of a kind that a rank has begun or ended. They go on from the largest number at the smallest. */
const COUNTERS = ['given', 'taken', 'reduced', 'told', 'heard'] as const;
type Counter = (typeof COUNTERS)[number];

/** Numbers that are summed in one operation, at most. */
const MOST_NUMBERS = 64;
const FAILURE_BYTES = 4096;

/** @param largest elements of the largest vector that is gathered or reduced */
export function collectiveMemory(ranks: number, largest: number): CollectiveMemory {
  const words = (count: number) => new SharedArrayBuffer(count * Float32Array.BYTES_PER_ELEMENT);
  return {
    ranks,
    counters: words(COUNTERS.length * ranks),
    gathered: [words(largest), words(largest)],
    reduced: words(largest),
    numbers: new SharedArrayBuffer(2 * ranks * MOST_NUMBERS * Float64Array.BYTES_PER_ELEMENT),
    failure: new SharedArrayBuffer(FAILURE_BYTES),
  };
}

/** Has all operations of all ranks fail with a message, those under way and those to come; the first one counts. */
export function failCollective({ counters, failure }: CollectiveMemory, message: string): void {
  const state = new Int32Array(failure, 0, 1);
  if (Atomics.load(state, 0) !== 0) return;
  const bytes = new TextEncoder().encode(message).subarray(0, FAILURE_BYTES - 4);
  new Uint8Array(failure, 4).set(bytes);
  Atomics.store(state, 0, Math.max(1, bytes.length));
  const all = new Int32Array(counters);
  for (let i = 0; i < all.length; i++) {
    // Who is about to wait for the number that it saw sees another.
    Atomics.add(all, i, 1 << 20);
    Atomics.notify(all, i);
  }
}

/** One of the ranks of a process. */
export class SharedCollective implements Collective {
  readonly ranks: number;
  readonly #counters: Int32Array;
  readonly #failure: Int32Array;
  readonly #gathered: readonly Float32Array[];
  readonly #reduced: Float32Array;
  readonly #numbers: Float64Array;
  /** Operations of each kind that were begun here. */
  #gathers = 0;
  /** Gathers whose shard is out. */
  #given = 0;
  #reduces = 0;
  #sums = 0;
  /** Operations of a kind go on one after another. */
  #gathering: Promise<void> = Promise.resolve();
  #giving: Promise<void> = Promise.resolve();
  #reducing: Promise<void> = Promise.resolve();
  #summing: Promise<unknown> = Promise.resolve();

  constructor(
    readonly rank: number,
    private readonly memory: CollectiveMemory,
  ) {
    this.ranks = memory.ranks;
    this.#counters = new Int32Array(memory.counters);
    this.#failure = new Int32Array(memory.failure, 0, 1);
    this.#gathered = memory.gathered.map((buffer) => new Float32Array(buffer));
    this.#reduced = new Float32Array(memory.reduced);
    this.#numbers = new Float64Array(memory.numbers);
  }

  gather(own: Float32Array, shards: readonly Range[], whole: Float32Array): Promise<void> {
    const number = this.#gathers++;
    const through = this.#gathered[number % 2]!;
    const [after, before] = [this.#gathering, this.#giving];
    // At once where it can be, since a run of a graph may come next, in which nothing else goes on here.
    const give = async () => {
      if (this.#given < number) await before;
      // Whoever reads the one before the last out of the same memory must have done so.
      for (let rank = 0; rank < this.ranks; rank++)
        if (!this.#reached(rank, 'taken', number - 1)) await this.#until(rank, 'taken', number - 1);
      through.set(own, shards[this.rank]!.start);
      this.#given = number + 1;
      this.#count('given', number + 1);
    };
    const given = give();
    this.#giving = given;
    const take = async () => {
      await after;
      await given;
      for (let rank = 0; rank < this.ranks; rank++) await this.#until(rank, 'given', number + 1);
      whole.set(through.subarray(0, whole.length));
      this.#count('taken', number + 1);
    };
    // Who asked hears of what goes wrong.
    given.catch(() => {});
    this.#gathering = take();
    return this.#gathering;
  }

  /**
   * By a ring: in each of as many phases as there are ranks, a rank adds its values of one shard to what the next rank left there
   * in the phase before, and in the last one takes its own shard out. So one vector's room is enough for all.
   */
  reduce(whole: Float32Array, shards: readonly Range[], own: Float32Array): Promise<void> {
    const first = this.ranks * this.#reduces++;
    const after = this.#reducing;
    const next = (this.rank + 1) % this.ranks;
    const work = async () => {
      await after;
      // What was summed here last may have been cut otherwise.
      for (let rank = 0; rank < this.ranks; rank++) await this.#until(rank, 'reduced', first);
      for (let phase = 0; phase < this.ranks; phase++) {
        const { start, end } = shards[(next + phase) % this.ranks]!;
        await this.#until(next, 'reduced', first + phase);
        const [values, sums] = [whole.subarray(start, end), this.#reduced.subarray(start, end)];
        const last = phase === this.ranks - 1;
        if (phase === 0 && !last) sums.set(values);
        else if (phase === 0) addTo(own, values);
        else {
          addTo(sums, values);
          if (last) addTo(own, sums);
        }
        this.#count('reduced', first + phase + 1);
      }
    };
    this.#reducing = work();
    return this.#reducing;
  }

  sum(numbers: readonly number[]): Promise<number[]> {
    if (numbers.length > MOST_NUMBERS) throw new Error(`sums of ${numbers.length} numbers at once`);
    const number = this.#sums++;
    const after = this.#summing;
    const placeOf = (rank: number) => ((number % 2) * this.ranks + rank) * MOST_NUMBERS;
    const work = async () => {
      await after;
      for (let rank = 0; rank < this.ranks; rank++) await this.#until(rank, 'heard', number - 1);
      this.#numbers.set(numbers, placeOf(this.rank));
      this.#count('told', number + 1);
      const sums = numbers.map(() => 0);
      for (let rank = 0; rank < this.ranks; rank++) {
        await this.#until(rank, 'told', number + 1);
        for (const i of sums.keys()) sums[i]! += this.#numbers[placeOf(rank) + i]!;
      }
      this.#count('heard', number + 1);
      return sums;
    };
    const result = work();
    this.#summing = result;
    // Who asked hears of it.
    result.catch(() => {});
    return result;
  }

  #count(counter: Counter, count: number): void {
    // A failure counts on as well: what comes after it is nothing.
    this.#check();
    const place = this.#place(this.rank, counter);
    Atomics.store(this.#counters, place, count);
    Atomics.notify(this.#counters, place);
  }

  /** @throws MeanfieldError once a rank has failed */
  #reached(rank: number, counter: Counter, count: number): boolean {
    const at = Atomics.load(this.#counters, this.#place(rank, counter));
    this.#check();
    // Of numbers that go round.
    return ((at - count) | 0) >= 0;
  }

  async #until(rank: number, counter: Counter, count: number): Promise<void> {
    const place = this.#place(rank, counter);
    for (;;) {
      const at = Atomics.load(this.#counters, place);
      if (this.#reached(rank, counter, count)) return;
      const { async, value } = Atomics.waitAsync(this.#counters, place, at);
      if (async) await value;
    }
  }

  #place(rank: number, counter: Counter): number {
    return COUNTERS.indexOf(counter) * this.ranks + rank;
  }

  #check(): void {
    const length = Atomics.load(this.#failure, 0);
    if (length === 0) return;
    // Text is not read out of memory that others write.
    const bytes = new Uint8Array(this.memory.failure, 4, length).slice();
    throw new MeanfieldError(new TextDecoder().decode(bytes));
  }
}

function addTo(sums: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += values[i]!;
}
