import type { ChatMessage, Conversation } from './row.js';

/** A part of a text: characters `start` to before `end`. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** A conversation as the model reads it. */
export interface RenderedChat {
  readonly text: string;
  /** What is learned of it, in order. */
  readonly learned: readonly TextSpan[];
  /** What ends the last turn that is learned, but is not learned itself: a model would not know where to stop. */
  readonly unlearnedEnd?: string;
}

/** Renders messages. */
export type Render = (
  messages: readonly ChatMessage[],
  options: { prompt: boolean; tools: Conversation['tools'] },
) => string;

/** Characters of private use: they stand in no text that a template makes of itself. */
const MARK = '\ue0c1\ue0c7';

/**
 * Finds what is learned of a conversation by what a template makes of its beginnings: a turn of the assistant begins
 * where the prompt for it ends, and ends with what the template closes it by. Where the template writes an earlier turn
 * otherwise than the last (without its thoughts, say), its place is found by a mark in its content.
 *
 * @param whole the conversation as it is rendered
 * @returns undefined where no turn of the assistant, or the place of one, is found
 */
export function learnedByPrefixes(
  render: Render,
  { messages, from, tools }: Conversation,
  whole: string,
): readonly TextSpan[] | undefined {
  const trailer = trailerOf(render, messages, tools);
  const spans: TextSpan[] = [];
  let at = 0;
  for (const [i, { role, content }] of messages.entries()) {
    if (role !== 'assistant' || i < from) continue;
    const before = messages.slice(0, i);
    const asked = i === 0 ? '' : tried(() => render(before, { prompt: true, tools }));
    const upTo = (list: readonly ChatMessage[]) => withoutEnd(render(list, { prompt: false, tools }), trailer);
    const closed = tried(() => upTo(messages.slice(0, i + 1)));
    if (asked !== undefined && closed !== undefined && whole.startsWith(closed) && closed.startsWith(asked)) {
      const start = i === 0 ? Math.max(0, closed.indexOf(content.trim())) : asked.length;
      spans.push({ start, end: closed.trimEnd().length > start ? closed.trimEnd().length : closed.length });
      at = spans.at(-1)!.end;
      continue;
    }
    const found = byMark(render, { messages, from, tools }, whole, i, upTo);
    if (found === undefined) return undefined;
    const start = asked !== undefined && whole.startsWith(asked) && asked.length >= at ? asked.length : found.start;
    spans.push({ start: Math.min(start, found.start), end: found.end });
    at = found.end;
  }
  return spans;
}

/** What a template that always asks for a turn of the assistant has at its end; empty for others. */
function trailerOf(render: Render, messages: readonly ChatMessage[], tools: Conversation['tools']): string {
  const [closed, asking] = [false, true].map((prompt) => tried(() => render(messages, { prompt, tools })));
  if (closed === undefined || closed !== asking) return '';
  return tried(() => render([], { prompt: false, tools: undefined })) ?? '';
}

const withoutEnd = (text: string, end: string): string =>
  end !== '' && text.endsWith(end) ? text.slice(0, -end.length) : text;

/** Puts a mark in the place of a turn's content: what is the same around it, in the whole, is not the content. */
function byMark(
  render: Render,
  { messages, tools }: Conversation,
  whole: string,
  i: number,
  upTo: (list: readonly ChatMessage[]) => string,
): TextSpan | undefined {
  const marked = messages.map((message, j) => (j === i ? { ...message, content: MARK } : message));
  const other = tried(() => render(marked, { prompt: false, tools }));
  const closed = tried(() => upTo(marked.slice(0, i + 1)));
  const [place, last] = [other?.indexOf(MARK) ?? -1, closed?.lastIndexOf(MARK) ?? -1];
  if (other === undefined || closed === undefined || place < 0 || last < 0) return undefined;
  const after = other.slice(place + MARK.length);
  if (!whole.startsWith(other.slice(0, place)) || !whole.endsWith(after)) return undefined;
  const end = whole.length - after.length;
  const closing = closed.slice(last + MARK.length).trimEnd();
  return { start: place, end: after.startsWith(closing) ? end + closing.length : end };
}

function tried<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    // Some templates refuse a conversation that does not end with the user, or has none.
    return undefined;
  }
}
