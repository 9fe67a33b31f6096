import { UsageError } from '../../../base/errors.js';
import type { ByteProgram, Instruction } from './program.js';

/** What is to be done once the instructions at hand return: a list that others share. */
export interface Frame {
  readonly id: number;
  /** A `byte` that is awaited, or the `call` or `loop` that is returned to. */
  readonly at: number;
  /** Of a loop: turns that are over, up to what matters. */
  readonly count: number;
  readonly parent: Frame | undefined;
}

/** All places in which a matcher can be after some bytes. */
export interface MatcherState {
  /** Frames whose instruction is a `byte`. */
  readonly tops: readonly Frame[];
  /** Whether the text may end here. */
  readonly accepting: boolean;
  /** By byte, as far as they are known; null where nothing goes on. */
  readonly next: (MatcherState | null)[];
  /** Of its tokens; kept by who computes it. */
  mask: Uint32Array | undefined;
}

/** States and frames that are remembered, before all but those in use are forgotten. */
const MOST_STATES = 8192;
const MOST_FRAMES = 262_144;
/** Places in which a matcher may be at once. */
const MOST_TOPS = 4096;

/**
 * Follows a {@link ByteProgram} byte by byte, in all ways at once. The states that it comes through are made when they are first met
 * and remembered, so that a byte is mostly one look-up.
 */
export class Matcher {
  #states = new Map<string, MatcherState>();
  #frames = new Map<string, Frame>();
  #ids = 0;

  constructor(readonly program: ByteProgram) {}

  start(): MatcherState {
    return this.#stateAt([[this.program.start, undefined]]);
  }

  /** The state in which those instructions are awaited whose frames are given. */
  stateOf(tops: readonly Frame[]): MatcherState {
    return this.#intern(tops, false);
  }

  /** The state after what is above a frame has returned to it. */
  returned(parent: Frame): MatcherState {
    return this.#stateAt([[0, parent]]);
  }

  step(state: MatcherState, byte: number): MatcherState | null {
    const known = state.next[byte];
    if (known !== undefined) return known;
    const places: (readonly [number, Frame | undefined])[] = [];
    for (const { at, parent } of state.tops) {
      const instruction = this.program.code[at] as Instruction & { type: 'byte' };
      if (byte >= instruction.first && byte <= instruction.last) places.push([instruction.next, parent]);
    }
    const next = places.length === 0 ? null : this.#stateAt(places);
    state.next[byte] = next;
    return next;
  }

  frame(at: number, count: number, parent: Frame | undefined): Frame {
    const key = `${at},${count},${parent?.id ?? -1}`;
    let frame = this.#frames.get(key);
    if (!frame) {
      if (this.#frames.size >= MOST_FRAMES) this.#forget();
      frame = { id: this.#ids++, at, count, parent };
      this.#frames.set(key, frame);
    }
    return frame;
  }

  /** The state after all that reads nothing was done from these places on. */
  #stateAt(places: readonly (readonly [number, Frame | undefined])[]): MatcherState {
    const { code } = this.program;
    const tops = new Map<number, Frame>();
    const seen = new Set<string>();
    const open = [...places];
    let accepting = false;
    for (let place = open.pop(); place; place = open.pop()) {
      const [at, parent] = place;
      const key = `${at},${parent?.id ?? -1}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > MOST_TOPS)
        throw new UsageError(
          'The grammar can be followed in too many ways at once. Ask for one with fewer repeats inside repeats.',
        );
      const instruction = code[at]!;
      switch (instruction.type) {
        case 'byte': {
          const top = this.frame(at, 0, parent);
          tops.set(top.id, top);
          break;
        }
        case 'split':
          for (const target of instruction.targets) open.push([target, parent]);
          break;
        case 'call':
          open.push([instruction.start, this.frame(at, 0, parent)]);
          break;
        case 'loop':
          if (instruction.min === 0) open.push([instruction.next, parent]);
          open.push([instruction.body, this.frame(at, 0, parent)]);
          break;
        case 'return': {
          if (!parent) accepting = true;
          else {
            const caller = code[parent.at]!;
            if (caller.type === 'call') open.push([caller.next, parent.parent]);
            if (caller.type === 'loop') {
              const { min, max, body, next } = caller;
              // Where there is no end to it, no more turns are told apart than must come.
              const count = max === Number.POSITIVE_INFINITY ? Math.min(min, parent.count + 1) : parent.count + 1;
              if (count >= min) open.push([next, parent.parent]);
              if (count < max) open.push([body, this.frame(parent.at, count, parent.parent)]);
            }
          }
        }
      }
    }
    return this.#intern([...tops.values()], accepting);
  }

  #intern(tops: readonly Frame[], accepting: boolean): MatcherState {
    const ids = tops.map(({ id }) => id).sort((a, b) => a - b);
    const key = `${ids.join(',')}${accepting ? '.' : ''}`;
    let state = this.#states.get(key);
    if (!state) {
      if (this.#states.size >= MOST_STATES) this.#forget();
      state = { tops, accepting, next: [], mask: undefined };
      this.#states.set(key, state);
    }
    return state;
  }

  /** Texts in work hold on to what they need: what is equal to it is only made anew. */
  #forget(): void {
    this.#states = new Map();
    this.#frames = new Map();
  }
}
