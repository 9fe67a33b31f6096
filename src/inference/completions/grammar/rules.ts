import { UsageError } from '../../../base/errors.js';
import { intersect, type Ranges, unite } from './code-points.js';

/** A piece of a grammar: which texts it matches. */
export type Piece =
  | { readonly type: 'characters'; readonly ranges: Ranges }
  | { readonly type: 'sequence'; readonly parts: readonly Piece[] }
  | { readonly type: 'choice'; readonly options: readonly Piece[] }
  | { readonly type: 'repeat'; readonly body: Piece; readonly min: number; readonly max: number }
  /** What the rule of that name matches; no rule matches the empty text. */
  | { readonly type: 'rule'; readonly name: string };

/** Rules by name; `root` is what a text must be. */
export type Rules = ReadonlyMap<string, Piece>;

export const EMPTY: Piece = { type: 'sequence', parts: [] };
export const characters = (ranges: Ranges): Piece => ({ type: 'characters', ranges });
export const sequence = (...parts: readonly Piece[]): Piece =>
  parts.length === 1 ? parts[0]! : { type: 'sequence', parts };
export const choice = (...options: readonly Piece[]): Piece =>
  options.length === 1 ? options[0]! : { type: 'choice', options };
export const optional = (body: Piece): Piece => repeat(body, 0, 1);
export const rule = (name: string): Piece => ({ type: 'rule', name });

export function literal(text: string): Piece {
  return sequence(
    ...Array.from(text, (character) => characters([[character.codePointAt(0)!, character.codePointAt(0)!]])),
  );
}

/** One of these characters of ASCII, ranges as in `a-z`. */
export function oneOf(set: string): Piece {
  const ranges: [number, number][] = [];
  for (let i = 0; i < set.length; i++) {
    const first = set.charCodeAt(i);
    const range = set[i + 1] === '-' && i + 2 < set.length;
    ranges.push([first, range ? set.charCodeAt(i + 2) : first]);
    if (range) i += 2;
  }
  return characters(unite(ranges));
}

/** From `min` to `max` times. An empty turn is none, so that no loop runs without reading. */
export function repeat(body: Piece, min: number, max: number): Piece {
  if (max === 0) return EMPTY;
  if (!matchesEmpty(body)) return { type: 'repeat', body, min, max };
  const filled = nonEmpty(body);
  return filled ? { type: 'repeat', body: filled, min: 0, max } : EMPTY;
}

function matchesEmpty(node: Piece): boolean {
  switch (node.type) {
    case 'characters':
    case 'rule':
      return false;
    case 'sequence':
      return node.parts.every(matchesEmpty);
    case 'choice':
      return node.options.some(matchesEmpty);
    case 'repeat':
      return node.min === 0;
  }
}

/** What a node matches but for the empty text; undefined for nothing. */
function nonEmpty(node: Piece): Piece | undefined {
  if (!matchesEmpty(node)) return node;
  if (node.type === 'choice') {
    const options = node.options.map(nonEmpty).filter((option) => option !== undefined);
    return options.length === 0 ? undefined : choice(...options);
  }
  if (node.type === 'repeat') return { ...node, min: 1 };
  // Here each part can be empty: the first that is not decides.
  const { parts } = node as Piece & { type: 'sequence' };
  const options = parts.flatMap((part, i) => {
    const filled = nonEmpty(part);
    return filled ? [sequence(filled, ...parts.slice(i + 1))] : [];
  });
  return options.length === 0 ? undefined : choice(...options);
}

/** Pieces that a grammar may have: far more than any that a person writes. */
const MOST_NODES = 200_000;

/**
 * The rules without what no text can match: options that lead to no end, and those whose characters a vocabulary lacks.
 *
 * @param alphabet the characters that can be written, all where it is left out
 * @throws UsageError when nothing is left, or the rules are too many
 */
export function withoutDeadEnds(rules: Rules, alphabet?: Ranges): Rules {
  let nodes = 0;
  const count = (node: Piece): void => {
    if (++nodes > MOST_NODES)
      throw new UsageError(`The grammar has more than ${MOST_NODES} parts. Ask for a simpler one.`);
    for (const part of node.type === 'sequence' ? node.parts : node.type === 'choice' ? node.options : []) count(part);
    if (node.type === 'repeat') count(node.body);
  };
  for (const node of rules.values()) count(node);
  const alive = new Map<string, Piece>();
  for (let before = -1; alive.size !== before; ) {
    before = alive.size;
    for (const [name, node] of rules) {
      const pruned = alive.has(name) ? undefined : prune(node, alive, alphabet);
      if (pruned) alive.set(name, pruned);
    }
  }
  const pruned = new Map([...alive.keys()].map((name) => [name, prune(rules.get(name)!, alive, alphabet)!]));
  if (!pruned.has('root')) throw new UsageError(whyNone(rules, alphabet));
  refuseLoops(pruned);
  return pruned;
}

function whyNone(rules: Rules, alphabet: Ranges | undefined): string {
  if (alphabet) {
    let ends = true;
    try {
      withoutDeadEnds(rules);
    } catch {
      ends = false;
    }
    const missing = ends ? firstMissing(rules, alphabet) : undefined;
    if (missing !== undefined)
      return `The vocabulary of this model lacks the character ${JSON.stringify(missing)}, without which no such text can be written.`;
  }
  return 'No text can ever be what is asked for: it contradicts itself, or holds itself without end.';
}

/** A character that is needed whichever way is taken; undefined where there is none. */
function firstMissing(rules: Rules, alphabet: Ranges): string | undefined {
  const open = new Set<string>();
  const find = (node: Piece): string | undefined => {
    switch (node.type) {
      case 'characters':
        return node.ranges.length > 0 && intersect(node.ranges, alphabet).length === 0
          ? String.fromCodePoint(node.ranges[0]![0])
          : undefined;
      case 'rule': {
        if (open.has(node.name)) return undefined;
        open.add(node.name);
        const missing = find(rules.get(node.name)!);
        open.delete(node.name);
        return missing;
      }
      case 'sequence':
        for (const part of node.parts) {
          const missing = find(part);
          if (missing !== undefined) return missing;
        }
        return undefined;
      case 'choice': {
        const options = node.options.filter((option) => option.type !== 'characters' || option.ranges.length > 0);
        const missing = options.map(find);
        return missing.includes(undefined) ? undefined : missing[0];
      }
      case 'repeat':
        return node.min > 0 ? find(node.body) : undefined;
    }
  };
  return find(rules.get('root')!);
}

/** What of a node can be matched, given the rules that can; undefined for nothing. */
function prune(node: Piece, alive: ReadonlyMap<string, Piece>, alphabet: Ranges | undefined): Piece | undefined {
  switch (node.type) {
    case 'characters': {
      const ranges = alphabet ? intersect(node.ranges, alphabet) : node.ranges;
      return ranges.length === 0 ? undefined : characters(ranges);
    }
    case 'rule':
      return alive.has(node.name) ? node : undefined;
    case 'sequence': {
      const parts = node.parts.map((part) => prune(part, alive, alphabet));
      return parts.includes(undefined) ? undefined : sequence(...(parts as Piece[]));
    }
    case 'choice': {
      const options = node.options
        .map((option) => prune(option, alive, alphabet))
        .filter((option) => option !== undefined);
      return options.length === 0 ? undefined : choice(...options);
    }
    case 'repeat': {
      const body = prune(node.body, alive, alphabet);
      if (body) return { ...node, body };
      return node.min === 0 ? EMPTY : undefined;
    }
  }
}

/** @throws UsageError when a rule begins with itself, which no text can follow */
function refuseLoops(rules: Rules): void {
  const done = new Set<string>();
  const open = new Set<string>();
  /** Visits the rules with which a node may begin. */
  const visit = (node: Piece): void => {
    if (node.type === 'rule') enter(node.name);
    if (node.type === 'repeat') visit(node.body);
    if (node.type === 'choice') for (const option of node.options) visit(option);
    if (node.type === 'sequence')
      for (const part of node.parts) {
        visit(part);
        if (!matchesEmpty(part)) return;
      }
  };
  const enter = (name: string): void => {
    if (done.has(name)) return;
    if (open.has(name)) throw new UsageError('The schema refers to itself without anything between: it never ends.');
    open.add(name);
    visit(rules.get(name)!);
    open.delete(name);
    done.add(name);
  };
  for (const name of rules.keys()) enter(name);
}
