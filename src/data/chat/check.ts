import { createHash } from 'node:crypto';
import type { CorpusOptions } from '../corpus/types.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { RowEncoder } from './encode-row.js';
import { sidesOf } from './pair.js';
import { batchesOf, readRows } from './read-rows.js';
import { ChatRenderer } from './renderer.js';
import { type ChatRow, type ChatText, parseRow, parseSourceRow } from './row.js';
import type { TokenRow } from './row-file.js';
import { fitSource, SourceEncoder, sourceAndTarget } from './source-row.js';
import type { FoundTemplate } from './template.js';
import { ENDLESS, endsTurns } from './turn-end.js';

/** Rows that are rendered in one go. */
const AT_ONCE = 64;

/** What is looked at, and by whose eyes. */
export interface CheckOptions extends Omit<CorpusOptions, 'field'> {
  readonly template: FoundTemplate;
  readonly tokenizer: Tokenizer;
  /** Ids below this are known to the model. */
  readonly vocabulary: number;
  /** Tokens that a model sees of a row at most; of a source and its target each. */
  readonly context: number;
  /** Where rows are sources with targets: the token that ends either. */
  readonly sourceEnd?: number | undefined;
}

/** A piece of a row's text, of tokens that are all learned or all not. */
export interface CheckedPiece {
  readonly text: string;
  readonly learned: boolean;
}

/** A row, looked at. */
export interface CheckedRow {
  /** Its file, with the line or the row's number. */
  readonly source: string;
  /** Missing where it is no row at all. */
  readonly form?: ChatRow['form'];
  /** Its tokens, and those of them that are learned, within the context. */
  readonly tokens: number;
  readonly learned: number;
  /** Whether nothing can be learned from it. */
  readonly unusable: boolean;
  /** All that is wrong with it. */
  readonly faults: readonly string[];
  /** What the model sees of it. */
  readonly pieces: readonly CheckedPiece[];
  /** Of a preference, the same of the other side. */
  readonly rejected?: Pick<CheckedRow, 'tokens' | 'learned' | 'pieces'>;
}

/**
 * Looks at rows as a model will see them, and for every fault.
 *
 * @throws MeanfieldError for a file that cannot be read, a line that is no JSON, or a template that does not end
 */
export async function* checkRows(options: CheckOptions): AsyncGenerator<CheckedRow> {
  const { template, tokenizer, sourceEnd } = options;
  const renderer = new ChatRenderer(template);
  const [parse, encoder] =
    sourceEnd === undefined
      ? [parseRow, new RowEncoder(tokenizer, template, renderer)]
      : [parseSourceRow, new SourceEncoder(tokenizer, sourceEnd)];
  const seen = new Map<string, string>();
  let ends: Promise<boolean> | undefined;
  try {
    for await (const batch of batchesOf(readRows(options), AT_ONCE)) {
      const parsed = batch.map(({ row }) => sidesIn(parse(row)));
      const encoded = await encoder.encode(parsed.flatMap((row) => ('fault' in row ? [] : row.sides)));
      let next = 0;
      for (const [i, { source }] of batch.entries()) {
        const row = parsed[i]!;
        if ('fault' in row) yield { ...unusable(source, row.fault), ...(row.form && { form: row.form }) };
        else {
          const { sides } = row;
          const found = encoded.slice(next, next + sides.length);
          next += sides.length;
          const key = createHash('sha256').update(JSON.stringify(sides)).digest('base64');
          const first = seen.get(key);
          seen.set(key, first ?? source);
          const equal = first === undefined ? [] : [`equal to ${first}`];
          const fault = found.flatMap((side) => ('fault' in side ? [side.fault] : []));
          if (fault.length > 0) yield { ...unusable(source, fault.join('; '), equal), form: row.form };
          else if ('messages' in sides[0]! && !(await (ends ??= endsTurns(renderer, tokenizer))))
            yield { ...unusable(source, ENDLESS, equal), form: row.form };
          else {
            const look = sourceEnd === undefined ? looked : lookedAtSource;
            const [own, other] = (found as Told[]).map((side, j) => look(options, side, sides[j]!));
            yield { source, form: row.form, ...together(own!, other, equal) };
          }
        }
      }
    }
  } finally {
    await renderer.close();
  }
}

/** What is learned of a row: of a preference both sides, what is rejected behind what is chosen. */
function sidesIn(
  row: ReturnType<typeof parseRow>,
): { form: ChatRow['form']; sides: readonly ChatText[] } | { form?: ChatRow['form']; fault: string } {
  if ('fault' in row) return row;
  const { form } = row;
  const sides = row.rejected === undefined ? [row.learned] : sidesOf(row);
  return 'fault' in sides ? { form, ...sides } : { form, sides };
}

type Told = TokenRow & { readonly unlearnedEnd?: string };

type Looked = Omit<CheckedRow, 'source' | 'form' | 'rejected'>;

/** One row of its sides. */
function together(
  own: Looked,
  other: Looked | undefined,
  equal: readonly string[],
): Omit<CheckedRow, 'source' | 'form'> {
  if (other === undefined) return { ...own, faults: [...equal, ...own.faults] };
  const { tokens, learned, pieces } = other;
  return {
    ...own,
    faults: [...equal, ...own.faults, ...other.faults.map((fault) => `rejected: ${fault}`)],
    unusable: own.unusable || other.unusable,
    rejected: { tokens, learned, pieces },
  };
}

const unusable = (source: string, fault: string, others: readonly string[] = []): CheckedRow => ({
  ...{ source, tokens: 0, learned: 0, unusable: true, faults: [fault, ...others], pieces: [] },
});

function looked(
  { tokenizer, vocabulary, context }: CheckOptions,
  { ids, flags, unlearnedEnd }: Told,
  text: ChatText,
): Looked {
  const faults: string[] = [];
  const unknown = ids.find((id) => id >= vocabulary);
  if (unknown !== undefined) faults.push(`the model does not know token ${unknown}: it has ${vocabulary}`);
  if (ids.length > context + 1)
    faults.push(`${ids.length} tokens, more than the context of ${context}: cut at the end`);
  const own = flags.slice(0, context + 1);
  own[0] = 0;
  const learned = own.reduce((sum, flag) => sum + flag, 0);
  if (unlearnedEnd !== undefined) faults.push(`the end of the turn, ${JSON.stringify(unlearnedEnd)}, is not learned`);
  if (learned === 0) faults.push(whyNothing(text, flags.includes(1)));
  return {
    ...{ tokens: ids.length, learned, faults, unusable: learned === 0 || unknown !== undefined },
    pieces: piecesOf(tokenizer, ids.subarray(0, context + 1), own),
  };
}

function lookedAtSource({ tokenizer, vocabulary, context }: CheckOptions, row: Told): Looked {
  const faults: string[] = [];
  const unknown = row.ids.find((id) => id >= vocabulary);
  if (unknown !== undefined) faults.push(`the model does not know token ${unknown}: it has ${vocabulary}`);
  for (const [name, { length }] of Object.entries(sourceAndTarget(row)))
    if (length > context)
      faults.push(`the ${name} has ${length} tokens, more than the context of ${context}: cut at the end`);
  const [seen] = fitSource(row, context)?.rows ?? [];
  if (seen === undefined) faults.push('nothing is learned: the target is empty');
  const { ids, flags } = seen ?? row;
  const learned = flags.reduce((sum, flag) => sum + flag, 0);
  return {
    ...{ tokens: row.ids.length, learned, faults, unusable: seen === undefined || unknown !== undefined },
    pieces: piecesOf(tokenizer, ids, flags),
  };
}

function whyNothing(text: ChatText, beyond: boolean): string {
  if (beyond) return 'nothing is learned: the answer lies beyond the context';
  if (!('messages' in text)) return 'nothing is learned: the completion is empty';
  const roles = new Set(text.messages.map(({ role }) => role));
  return roles.size === 1 && roles.has('system')
    ? 'nothing is learned: it has only system text'
    : 'nothing is learned: it has no assistant turn';
}

function piecesOf(tokenizer: Tokenizer, ids: Int32Array, flags: Uint8Array): CheckedPiece[] {
  const pieces: CheckedPiece[] = [];
  for (let from = 0; from < ids.length; ) {
    let to = from + 1;
    while (to < ids.length && flags[to] === flags[from]) to++;
    pieces.push({ text: tokenizer.decode(ids.subarray(from, to)), learned: flags[from] === 1 });
    from = to;
  }
  return pieces;
}
