import { Heap } from '../../base/heap.js';

/** Transfers of one line that are alike: all run at the same rate. */
interface Group {
  /** Bytes a second that one transfer can have at most. */
  readonly cap: number;
  active: number;
  /** Bytes a second that each of them gets now. */
  rate: number;
  /** Bytes that a transfer active from the start would have moved. */
  served: number;
  /** The one that ends next first. */
  readonly transfers: Heap<Transfer>;
}

/** Transfers under way that start together and are alike, mostly one; what {@link SharedFlow.start} gives and {@link SharedFlow.cancel} takes. */
export interface Transfer {
  readonly group: Group;
  readonly count: number;
  /** The value of the group's `served` at which it ends. */
  readonly target: number;
  readonly number: number;
  /** Whether it has ended, or was cancelled. */
  over: boolean;
}

/**
 * A line that transfers share as a fluid (processor sharing, max-min fair): each gets the same rate unless its own other
 * end caps it lower, and what capped ones leave goes to the others. The times at which transfers end are computed, not
 * stepped towards; an event costs the number of different caps and the logarithm of the transfers.
 */
export class SharedFlow {
  #capacity: number;
  #now = 0;
  /** By rising cap. */
  readonly #groups: Group[] = [];
  #count = 0;
  #stale = false;

  /** @param capacity bytes a second of the line */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Transfers under way. */
  get active(): number {
    return this.#groups.reduce((sum, { active }) => sum + active, 0);
  }

  /** Another capacity from now on. */
  setCapacity(now: number, capacity: number): void {
    this.#advance(now);
    this.#capacity = capacity;
    this.#stale = true;
  }

  /** Starts `count` transfers of so many bytes each, each of which gets at most `cap` bytes a second. */
  start(now: number, bytes: number, cap: number, count = 1): Transfer {
    this.#advance(now);
    const group = this.#groupOf(cap);
    const transfer: Transfer = { group, count, target: group.served + bytes, number: this.#count++, over: false };
    group.transfers.push(transfer);
    group.active += count;
    this.#stale = true;
    return transfer;
  }

  /** Ends a transfer before its time; the others share its rate. One that has ended is left alone. */
  cancel(now: number, transfer: Transfer): void {
    if (transfer.over) return;
    this.#advance(now);
    transfer.over = true;
    transfer.group.active -= transfer.count;
    this.#stale = true;
  }

  /** When the next transfer ends if none is started or cancelled before; `undefined`: none is under way. */
  next(): { readonly at: number; readonly transfer: Transfer } | undefined {
    this.#refresh();
    let at = Number.POSITIVE_INFINITY;
    let first: Transfer | undefined;
    for (const group of this.#groups) {
      while (group.transfers.first?.over) group.transfers.pop();
      const top = group.transfers.first;
      if (!top) continue;
      const left = Math.max(0, top.target - group.served);
      const end = left === 0 ? this.#now : this.#now + left / group.rate;
      if (end < at || (end === at && first && top.number < first.number)) {
        at = end;
        first = top;
      }
    }
    return first && { at, transfer: first };
  }

  /** Ends the transfer that {@link next} gave, at its time. */
  complete({ at, transfer }: { readonly at: number; readonly transfer: Transfer }): void {
    this.#advance(at);
    transfer.group.transfers.pop();
    transfer.over = true;
    transfer.group.active -= transfer.count;
    this.#stale = true;
  }

  #groupOf(cap: number): Group {
    let i = 0;
    while (i < this.#groups.length && this.#groups[i]!.cap < cap) i++;
    const found = this.#groups[i];
    if (found?.cap === cap) return found;
    const group: Group = { cap, active: 0, rate: 0, served: 0, transfers: new Heap(before) };
    this.#groups.splice(i, 0, group);
    return group;
  }

  #advance(now: number): void {
    this.#refresh();
    const span = now - this.#now;
    if (span > 0) {
      for (const group of this.#groups) if (group.active > 0) group.served += group.rate * span;
      this.#now = now;
    }
  }

  /** Fills the line like water: lowest caps first, each share what is left over those not yet filled. */
  #refresh(): void {
    if (!this.#stale) return;
    this.#stale = false;
    let left = this.#capacity;
    let unfilled = this.active;
    for (const group of this.#groups) {
      if (group.active === 0) continue;
      group.rate = Math.min(group.cap, Math.max(0, left) / unfilled);
      left -= group.rate * group.active;
      unfilled -= group.active;
    }
  }
}

function before(a: Transfer, b: Transfer): boolean {
  return a.target < b.target || (a.target === b.target && a.number < b.number);
}
