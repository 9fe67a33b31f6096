import { MeanfieldError } from '../../base/errors.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import type { ChatRenderer } from './renderer.js';
import type { ChatText } from './row.js';
import type { RenderedChat, TextSpan } from './spans.js';
import type { FoundTemplate } from './template.js';

/** A row as a model reads it. */
export interface EncodedRow extends RenderedChat {
  readonly ids: Int32Array;
  /** Of each token, whether it is learned: 1 or 0. */
  readonly flags: Uint8Array;
}

/** Turns rows into tokens. */
export class RowEncoder {
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly template: Pick<FoundTemplate, 'begin' | 'end'>,
    private readonly renderer: Pick<ChatRenderer, 'render'>,
  ) {}

  /** @throws MeanfieldError when the template cannot be used at all */
  async encode(rows: readonly ChatText[]): Promise<(EncodedRow | { readonly fault: string })[]> {
    const rendered = await renderRows(rows, this.template, this.renderer);
    return rendered.map((row) => {
      if ('fault' in row) return row;
      try {
        return { ...row, ...encodeLearned(this.tokenizer, row.text, row.learned) };
      } catch (error) {
        if (error instanceof MeanfieldError) return { fault: error.message };
        throw error;
      }
    });
  }
}

/** The texts of rows: conversations by the template, others between the tokens that begin and end a text. */
export async function renderRows(
  rows: readonly ChatText[],
  { begin, end }: Pick<FoundTemplate, 'begin' | 'end'>,
  renderer: Pick<ChatRenderer, 'render'>,
): Promise<(RenderedChat | { readonly fault: string })[]> {
  const tasks = rows.flatMap((row) => ('messages' in row ? [{ conversation: row, prompt: false }] : []));
  const answers = tasks.length === 0 ? [] : await renderer.render(tasks);
  let next = 0;
  return rows.map((row) => {
    if ('messages' in row) {
      const answer = answers[next++]!;
      return 'fault' in answer ? { fault: `the chat template refuses it: ${answer.fault}` } : answer;
    }
    const before = begin !== '' && !row.prompt.startsWith(begin) ? begin : '';
    const closing = row.completion.endsWith(end) ? '' : end;
    const text = before + row.prompt + row.completion + closing;
    // What begins a text is given to a model, not learned.
    return { text, learned: [{ start: (before + row.prompt).length, end: text.length }] };
  });
}

/**
 * The tokens of a whole text, and which of them are learned: those that hold any of its learned characters. Parts are
 * never encoded by themselves, since tokens may cross their borders.
 *
 * @throws MeanfieldError for a text that the tokenizer cannot express
 */
export function encodeLearned(
  tokenizer: Tokenizer,
  text: string,
  learned: readonly TextSpan[],
): { ids: Int32Array; flags: Uint8Array } {
  const ids = Int32Array.from(tokenizer.encode(text));
  const flags = new Uint8Array(ids.length);
  const bytesAt = byteOffsets(text, learned);
  const ends = tokenEnds(tokenizer, ids, text);
  for (const { start, end } of learned) {
    if (end <= start) continue;
    const [from, to] = ends
      ? [firstAbove(ends, bytesAt.get(start)!), firstAbove(ends, bytesAt.get(end)! - 1) + 1]
      : [commonTokens(tokenizer, text.slice(0, start), ids), commonTokens(tokenizer, text.slice(0, end), ids)];
    flags.fill(1, from, to);
  }
  return { ids, flags };
}

/** UTF-8 offsets of the ends of spans, by their places in the text. */
function byteOffsets(text: string, spans: readonly TextSpan[]): Map<number, number> {
  const places = [...new Set(spans.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const found = new Map<number, number>();
  let [at, bytes] = [0, 0];
  for (const place of places) {
    bytes += Buffer.byteLength(text.slice(at, place));
    at = place;
    found.set(place, bytes);
  }
  return found;
}

/** Where each token ends, in bytes of the text; undefined where the tokenizer writes the text otherwise. */
function tokenEnds(tokenizer: Tokenizer, ids: Int32Array, text: string): Float64Array | undefined {
  const bytes = Buffer.from(text);
  const ends = new Float64Array(ids.length);
  let at = 0;
  for (const [i, id] of ids.entries()) {
    const own = tokenizer.tokenBytes?.(id) ?? tokenizer.decodeBytes([id]);
    // Some tokenizers put a blank before a text.
    const skip = i === 0 && own[0] === 0x20 && bytes[0] !== 0x20 ? 1 : 0;
    if (bytes.compare(own, skip, own.length, at, at + own.length - skip) !== 0) return undefined;
    at += own.length - skip;
    ends[i] = at;
  }
  return at === bytes.length ? ends : undefined;
}

/** The first token that ends behind a byte. */
function firstAbove(ends: Float64Array, byte: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! > byte) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** How many of the first tokens a beginning of the text has by itself: where the tokenizer changes texts, the best to go by. */
function commonTokens(tokenizer: Tokenizer, beginning: string, ids: Int32Array): number {
  const own = tokenizer.encode(beginning);
  let count = 0;
  while (count < own.length && own[count] === ids[count]) count++;
  return count;
}
