import { utf8Sequences } from './code-points.js';
import type { Piece, Rules } from './rules.js';

/** An instruction of a {@link ByteProgram}; `next` and the like are places in it. */
export type Instruction =
  | { readonly type: 'byte'; readonly first: number; readonly last: number; readonly next: number }
  | { readonly type: 'split'; readonly targets: readonly number[] }
  | { readonly type: 'call'; readonly start: number; readonly next: number }
  /** The body returns to the loop after each turn. */
  | { readonly type: 'loop'; readonly body: number; readonly min: number; readonly max: number; readonly next: number }
  | { readonly type: 'return' };

/** A grammar as instructions over bytes. */
export interface ByteProgram {
  readonly code: readonly Instruction[];
  readonly start: number;
}

/** Place 0 of every program. */
const RETURN = 0;

export function programOf(rules: Rules): ByteProgram {
  const code: Instruction[] = [{ type: 'return' }];
  const starts = new Map<string, number>();
  for (const name of rules.keys()) starts.set(name, code.push({ type: 'return' }) - 1);
  const emit = (instruction: Instruction): number => code.push(instruction) - 1;
  /** Writes what matches a node and goes on at `next`; returns where it begins. */
  const write = (node: Piece, next: number): number => {
    switch (node.type) {
      case 'characters': {
        const begins = utf8Sequences(node.ranges).map((bytes) =>
          bytes.reduceRight((after, [first, last]) => emit({ type: 'byte', first, last, next: after }), next),
        );
        return begins.length === 1 ? begins[0]! : emit({ type: 'split', targets: begins });
      }
      case 'rule': {
        const start = starts.get(node.name)!;
        // Nothing is left to do after it, so nothing need be remembered.
        return next === RETURN ? start : emit({ type: 'call', start, next });
      }
      case 'sequence':
        return node.parts.reduceRight((after, part) => write(part, after), next);
      case 'choice':
        return emit({ type: 'split', targets: node.options.map((option) => write(option, next)) });
      case 'repeat': {
        const { body, min, max } = node;
        if (min === 0 && max === 1) return emit({ type: 'split', targets: [write(body, next), next] });
        return emit({ type: 'loop', body: write(body, RETURN), min, max, next });
      }
    }
  };
  for (const [name, node] of rules) code[starts.get(name)!] = { type: 'split', targets: [write(node, RETURN)] };
  return { code, start: starts.get('root')! };
}
