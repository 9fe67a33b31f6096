import type { Layout } from './layout.js';

/** What machines of a grid send each other, each kind once a step. */
export const KINDS = ['ready', 'go', 'panel', 'factors', 'rows', 'top', 'rhs', 'solution', 'partial', 'check'] as const;
export type Kind = (typeof KINDS)[number];

/** What names a message. */
export interface Letter {
  readonly kind: Kind;
  readonly step: number;
  readonly from: number;
}

/** Which letters have come to one machine. Only {@link post} makes a new one of it. */
export interface Inbox {
  readonly layout: Layout;
  readonly rank: number;
  readonly seen: ReadonlySet<string>;
}

/** What becomes of a letter: it is kept, it is there already, or it is refused and why. */
export type Posted =
  | { readonly taken: 'kept'; readonly inbox: Inbox }
  | { readonly taken: 'again' }
  | { readonly taken: 'refused'; readonly reason: string };

export function keyOf({ kind, step, from }: Letter): string {
  return `${kind}-${step}-${from}`;
}

/**
 * Takes a letter, or says what is wrong with it: nobody is believed to send what is not his to send, or of another size.
 *
 * @param values how many it holds
 */
export function post(inbox: Inbox, letter: Letter, values: number): Posted {
  const { layout, rank, seen } = inbox;
  const { kind, step, from } = letter;
  const refused = (reason: string): Posted => ({ taken: 'refused', reason });
  if (!KINDS.includes(kind)) return refused('a letter of an unknown kind');
  const whole = (value: number, end: number) => Number.isInteger(value) && value >= 0 && value < end;
  if (!whole(from, layout.size) || from === rank)
    return refused(`a letter ${kind} from machine ${from} of ${layout.size}`);
  if (!whole(step, layout.blocks)) return refused(`a letter ${kind} of step ${step}; there are ${layout.blocks}`);
  const { least, most, senders } = expected(layout, rank, kind, step);
  if (!senders(from)) return refused(`a letter ${kind} of step ${step} that machine ${from} has no part in`);
  if (!(Number.isInteger(values) && values >= least && values <= most)) {
    return refused(
      `a letter ${kind} of step ${step} from machine ${from} with ${values} values; expected ${least === most ? least : `${least} to ${most}`}`,
    );
  }
  const key = keyOf(letter);
  if (seen.has(key)) return { taken: 'again' };
  return { taken: 'kept', inbox: { layout, rank, seen: new Set([...seen, key]) } };
}

interface Expected {
  readonly least: number;
  readonly most: number;
  senders(from: number): boolean;
}

/** Who sends a letter to a machine, and how many values it may hold. */
function expected(layout: Layout, rank: number, kind: Kind, step: number): Expected {
  const own = layout.place(rank);
  const root = layout.owner(step, step);
  const width = layout.width(step);
  const columns = layout.columnsFrom(own.column, step + 1);
  const rhs = layout.blocks % layout.columns;
  const inColumn = (column: number) => (from: number) => layout.place(from).column === column;
  const first = (from: number) => step === 0 && from === 0;
  const atFirst = () => step === 0 && rank === 0;
  switch (kind) {
    case 'ready':
      return { least: 0, most: 0, senders: atFirst };
    case 'go':
      return { least: 0, most: 0, senders: first };
    case 'check':
      return { least: 0, most: 2 * layout.n, senders: atFirst };
    case 'panel':
      return { least: 0, most: layout.n * width, senders: (from) => rank === root && inColumn(own.column)(from) };
    case 'factors': {
      const values = width + width * width + layout.rowsFrom(own.row, step + 1) * width;
      return { least: values, most: values, senders: (from) => from === root };
    }
    case 'rows':
      return {
        least: 1,
        most: width * columns,
        senders: (from) => own.row === step % layout.rows && inColumn(own.column)(from),
      };
    case 'top':
      return {
        least: width * columns,
        most: 2 * width * columns,
        senders: (from) => from === layout.rank(step % layout.rows, own.column),
      };
    case 'rhs':
      return { least: width, most: width, senders: (from) => rank === root && from === layout.rank(own.row, rhs) };
    case 'solution':
      return { least: width, most: width, senders: (from) => from === root };
    case 'partial': {
      const values = layout.rowsBefore(own.row, step);
      return {
        least: values,
        most: values,
        senders: (from) => own.column === rhs && from === layout.rank(own.row, step % layout.columns),
      };
    }
  }
}
