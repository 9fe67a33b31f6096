import { randomBytes } from 'node:crypto';

/** A call that a model writes. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    /** JSON, in a text. */
    readonly arguments: string;
  };
}

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';
/** What other templates set before calls. */
const MARKS = /^\s*(?:\[TOOL_CALLS\]|<\|python_tag\|>|<\|tool_call\|>|```(?:json)?\n)\s*/;

/**
 * Finds the calls in what a model writes, though it come in pieces: those between `<tool_call>` and `</tool_call>` (Hermes,
 * Qwen and their kin), and an answer that is nothing but a call, or a list of them, as JSON (Llama 3, Mistral). What only
 * looks like a call is text.
 */
export class ToolCallReader {
  readonly #names: ReadonlySet<string>;
  /** The beginning of the answer, as long as all of it may be a call. */
  #whole: string | undefined = '';
  /** What may become a mark, or stands after one. */
  #held = '';

  /** @param names of the tools that there are */
  constructor(names: readonly string[]) {
    this.#names = new Set(names);
  }

  /** @returns the text that is certain by now, and the calls that are complete */
  push(piece: string): { readonly text: string; readonly calls: readonly ToolCall[] } {
    if (this.#whole === undefined) return this.#tagged(piece);
    this.#whole += piece;
    if (mayBeCall(this.#whole)) return { text: '', calls: [] };
    const text = this.#whole;
    this.#whole = undefined;
    return this.#tagged(text);
  }

  /** What is left at the end of the answer. */
  end(): { readonly text: string; readonly calls: readonly ToolCall[] } {
    const whole = this.#whole ?? '';
    this.#whole = undefined;
    const calls = this.#calls(whole.replace(MARKS, '').replace(/\s*```\s*$/, ''));
    if (calls !== undefined) return { text: '', calls };
    const last = this.#tagged(whole);
    const rest = this.#held;
    this.#held = '';
    // The stop of a turn may have cut the closing mark off.
    const open = rest.startsWith(OPEN) ? this.#calls(rest.slice(OPEN.length)) : undefined;
    if (open !== undefined) return { text: last.text, calls: [...last.calls, ...open] };
    return { text: last.text + rest, calls: last.calls };
  }

  #tagged(piece: string): { text: string; calls: ToolCall[] } {
    this.#held += piece;
    let text = '';
    const calls: ToolCall[] = [];
    for (;;) {
      const at = this.#held.indexOf(OPEN);
      if (at < 0) {
        const certain = this.#held.length - beginning(this.#held, OPEN);
        text += this.#held.slice(0, certain);
        this.#held = this.#held.slice(certain);
        break;
      }
      text += this.#held.slice(0, at);
      this.#held = this.#held.slice(at);
      const end = this.#held.indexOf(CLOSE);
      if (end < 0) break;
      const found = this.#calls(this.#held.slice(OPEN.length, end));
      if (found === undefined) text += this.#held.slice(0, end + CLOSE.length);
      else calls.push(...found);
      this.#held = this.#held.slice(end + CLOSE.length);
    }
    // Line feeds around calls are the template's.
    if (calls.length > 0 && text.trim() === '') text = '';
    return { text, calls };
  }

  /** A text as the calls that it is; undefined where it is none. */
  #calls(text: string): ToolCall[] | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const list = Array.isArray(value) ? value : [value];
    const calls = list.map((one) => this.#call(one));
    return list.length > 0 && calls.every((call) => call !== undefined) ? calls : undefined;
  }

  #call(value: unknown): ToolCall | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const { name, arguments: given, parameters } = value as Record<string, unknown>;
    if (typeof name !== 'string' || !this.#names.has(name)) return undefined;
    const input = given ?? parameters ?? {};
    // Some models write the text of JSON into the JSON.
    const text = typeof input === 'string' ? input : JSON.stringify(input);
    return { id: `call_${randomBytes(12).toString('hex')}`, type: 'function', function: { name, arguments: text } };
  }
}

/** Whether all of an answer that begins so may be a call. */
function mayBeCall(text: string): boolean {
  const start = text.trimStart();
  if (start === '') return true;
  if (MARKS.test(text) || /^[{[]/.test(start)) return true;
  return ['[TOOL_CALLS]', '<|python_tag|>', '<|tool_call|>', '```json\n', '```\n'].some((mark) =>
    mark.startsWith(start),
  );
}

/** The length of the longest end of a text that begins a mark. */
function beginning(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length--)
    if (mark.startsWith(text.slice(-length))) return length;
  return 0;
}
