import type { CompletionEvent } from './completion.js';

/**
 * Events between a thread and one reader, at the reader's pace. What is not read yet grows together: a reader that does not
 * keep up holds up nobody, and takes as much memory as its text.
 */
export class EventBuffer implements AsyncIterable<CompletionEvent> {
  #unread: CompletionEvent[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: () => void = () => {};

  push(event: CompletionEvent): void {
    if (this.#end) return;
    const last = this.#unread.at(-1);
    if (last?.type === 'text' && event.type === 'text')
      this.#unread[this.#unread.length - 1] = {
        type: 'text',
        text: last.text + event.text,
        tokens: [...last.tokens, ...event.tokens],
      };
    else this.#unread.push(event);
    this.#wake();
  }

  /** Nothing follows. */
  end(): void {
    this.#end ??= {};
    this.#wake();
  }

  /** The reader gets this instead of what it has not read. */
  fail(error: unknown): void {
    if (this.#end === undefined) {
      this.#end = { error };
      this.#unread = [];
    }
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CompletionEvent, void> {
    for (;;) {
      const event = this.#unread.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      if (this.#end) {
        if ('error' in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
