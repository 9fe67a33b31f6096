import { UsageError } from '../base/errors.js';
import { ChatRenderer } from '../data/chat/renderer.js';
import { parseRow } from '../data/chat/row.js';
import { findTemplate } from '../data/chat/template.js';
import { findTurnEnd } from '../data/chat/turn-end.js';
import type { Tokenizer } from '../data/index.js';

/** Turns conversations into prompts by a model's template, or ChatML where it has none. */
export class ConversationPrompts {
  readonly #renderer: ChatRenderer;
  #stop: Promise<string> | undefined;

  constructor(
    files: Readonly<Record<string, string>>,
    private readonly tokenizer: Tokenizer,
  ) {
    this.#renderer = new ChatRenderer(findTemplate(files));
  }

  /**
   * @param messages `{ role, content }` of each turn so far; the assistant's comes next
   * @param tools what the assistant may call, as its template reads it
   * @returns what the model is to continue, and the text that ends its turn, empty where the template has none
   * @throws UsageError for messages that are none, or that the template refuses
   * @throws MeanfieldError when the template cannot be used
   */
  async prompt(
    messages: unknown,
    tools?: readonly object[],
  ): Promise<{ readonly prompt: string; readonly stop: string }> {
    const row = parseRow({ messages, ...(tools && { tools }) });
    if ('fault' in row || !('messages' in row.learned))
      throw new UsageError(`Cannot chat: ${'fault' in row ? row.fault : 'expected messages'}.`);
    const [rendered] = await this.#renderer.render([{ conversation: row.learned, prompt: true }]);
    if (rendered === undefined || 'fault' in rendered)
      throw new UsageError(`Cannot chat: the model's template refuses the conversation: ${rendered?.fault ?? ''}.`);
    this.#stop ??= findTurnEnd(this.#renderer, this.tokenizer).then(({ text }) => text);
    return { prompt: rendered.text, stop: await this.#stop };
  }

  close(): Promise<void> {
    return this.#renderer.close();
  }
}
