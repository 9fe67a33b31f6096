import { encodeBeginning, type Tokenizer } from '../../data/index.js';

/** Turns texts into tokens as those who ask want special tokens: as such, or as the characters that they are written in. */
export class TokenTexts {
  /** Found when it is first wanted: a `tokenizer.json` takes a while to read. */
  #special: RegExp | null | undefined;

  /** @param files the tokenizer's, by name */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly files: Readonly<Record<string, string>>,
  ) {}

  get #specialTexts(): RegExp | null {
    if (this.#special !== undefined) return this.#special;
    const names = addedTokens(this.files['tokenizer.json']);
    // The longest first: one may begin another.
    const longest = names
      .sort((a, b) => b.length - a.length)
      .map((name) => name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
    this.#special = longest.length === 0 ? null : new RegExp(longest.join('|'), 'g');
    return this.#special;
  }

  /**
   * @param special whether texts of special tokens become those, and what begins a text is set before it
   * @param most of a text that has more tokens a beginning of more than these will do; none where it is left out
   */
  encode(text: string, special: boolean, most = Number.POSITIVE_INFINITY): number[] {
    const { around } = this.tokenizer;
    if (special) return [...(around?.before ?? []), ...encodeBeginning(this.tokenizer, text, most)];
    return this.#plainParts(text).flatMap((part) => [...this.tokenizer.encode(part)]);
  }

  /** A text in parts that have no special token's text in them: each such is cut behind its first character. */
  #plainParts(text: string): string[] {
    const special = this.#specialTexts;
    if (special === null) return [text];
    const parts: string[] = [];
    let from = 0;
    for (const { index, 0: found } of text.matchAll(special)) {
      const [first = ''] = found;
      parts.push(text.slice(from, index + first.length));
      from = index + first.length;
    }
    // A part may hold another one's text that overlapped with what was cut.
    return [...parts, text.slice(from)].filter((part) => part !== '');
  }

  /** The bytes of each token, as they stand within a text. */
  bytesOf(ids: readonly number[]): Uint8Array[] {
    // Copies: the thread moves them away.
    return ids.map((id) => (this.tokenizer.tokenBytes?.(id) ?? this.tokenizer.decodeBytes([id])).slice());
  }
}

/** Texts of the tokens beside the vocabulary that a `tokenizer.json` adds. */
function addedTokens(json: string | undefined): string[] {
  const { added_tokens: added } = JSON.parse(json ?? '{}') as { added_tokens?: unknown };
  if (!Array.isArray(added)) return [];
  return added.flatMap(({ content }: { content?: unknown }) =>
    typeof content === 'string' && content !== '' ? [content] : [],
  );
}
