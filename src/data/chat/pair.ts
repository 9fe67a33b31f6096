import type { SampleList } from '../sampling/shuffled-samples.js';
import type { ChatMessage, ChatRow, ChatText, Conversation } from './row.js';
import type { TokenRow } from './row-file.js';

/** Two answers to one prompt, of which the first is the better. */
export interface AnswerPair {
  readonly chosen: TokenRow;
  readonly rejected: TokenRow;
  /** Their log probabilities by the model that the run starts from, where they are stored. */
  readonly reference?: readonly [chosen: number, rejected: number] | undefined;
}

/**
 * The two sides of a preference, each with what is learned of it: what comes after all that both begin with. A row
 * without a prompt has it in both sides (TRL's implicit prompt).
 *
 * @returns what is wrong, for a row that is no preference or whose sides are equal
 */
export function sidesOf({
  form,
  learned,
  rejected,
}: ChatRow): readonly [ChatText, ChatText] | { readonly fault: string } {
  if (rejected === undefined) return { fault: `expected chosen with rejected (and prompt), got a row of ${form}` };
  if (JSON.stringify(learned) === JSON.stringify(rejected)) return { fault: 'chosen and rejected are equal' };
  if ('messages' in learned && 'messages' in rejected) return answers(learned, rejected);
  if ('messages' in learned || 'messages' in rejected)
    return { fault: 'expected chosen and rejected to be both texts or both messages' };
  if (learned.prompt !== '') return [learned, rejected];
  const prompt = commonText(learned.completion, rejected.completion);
  const after = ({ completion }: { completion: string }) => ({ prompt, completion: completion.slice(prompt.length) });
  return [after(learned), after(rejected)];
}

function answers(chosen: Conversation, rejected: Conversation): readonly [ChatText, ChatText] {
  const same = (a: ChatMessage, b: ChatMessage | undefined) => JSON.stringify(a) === JSON.stringify(b);
  const differs = chosen.messages.findIndex((message, i) => !same(message, rejected.messages[i]));
  // One side may be the other's beginning.
  const from = Math.max(chosen.from, differs < 0 ? rejected.messages.length : differs);
  return [
    { ...chosen, from },
    { ...rejected, from },
  ];
}

/** What two texts begin with alike, to the end of a word: a token may hold the blank before the next. */
function commonText(a: string, b: string): string {
  let end = 0;
  while (end < Math.min(a.length, b.length) && a[end] === b[end]) end++;
  while (end > 0 && !/\s/.test(a[end] ?? ' ')) end--;
  return a.slice(0, end);
}

/**
 * Cuts the beginning of the prompt of two rows that are too long, the same tokens of both; never an answer, which would
 * lose its end. What begins a text stays.
 *
 * @param longest tokens of a row at most
 * @param begin the token that begins a text, where the model has one
 * @returns undefined where an answer with a token before it is too long by itself, or nothing of one is learned
 */
export function fitPair(
  pair: readonly [TokenRow, TokenRow],
  longest: number,
  begin: number | undefined,
): { readonly rows: readonly [TokenRow, TokenRow]; readonly cut: boolean } | undefined {
  const starts = pair.map(({ flags }) => flags.indexOf(1, 1));
  if (starts.some((start) => start < 0)) return undefined;
  const kept = pair.every(({ ids }) => ids[0] === begin) ? 1 : 0;
  const over = Math.max(0, ...pair.map(({ ids }) => ids.length - longest));
  // Before the first token that is told there must be one that it is told from.
  if (over > Math.min(...starts) - 1) return undefined;
  const [chosen, rejected] = pair.map(({ ids, flags }): TokenRow => {
    const stays = (_: number, i: number) => i < kept || i >= kept + over;
    const row = { ids: ids.filter(stays), flags: flags.filter(stays) };
    // Nothing comes before it that it could be told from.
    row.flags[0] = 0;
    return row;
  }) as [TokenRow, TokenRow];
  return { rows: [chosen, rejected], cut: over > 0 };
}

/** The pairs of a list of rows, each of two that follow each other. */
export class PairList implements SampleList<AnswerPair> {
  /** @param reference two log probabilities a pair, where they are stored */
  constructor(
    private readonly rows: SampleList<TokenRow>,
    private readonly reference?: Float32Array,
  ) {}

  get length(): number {
    return Math.floor(this.rows.length / 2);
  }

  at(index: number): AnswerPair {
    const [i, j] = [2 * index, 2 * index + 1];
    const { reference } = this;
    return {
      chosen: this.rows.at(i)!,
      rejected: this.rows.at(j)!,
      ...(reference && { reference: [reference[i]!, reference[j]!] as const }),
    };
  }
}
