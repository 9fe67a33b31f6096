import { Template } from '@huggingface/jinja';
import { correctStrip } from './python-strip.js';
import type { Conversation } from './row.js';
import { learnedByPrefixes, type Render, type RenderedChat, type TextSpan } from './spans.js';

/** A model's template, and the names that it reads. */
export interface ChatTemplate {
  /** Jinja, as `chat_template` holds it. */
  readonly source: string;
  /** `bos_token` and others, by name. */
  readonly names: Readonly<Record<string, string>>;
}

/** Longer texts are no conversation but a template that repeats itself. */
export const LONGEST_RENDER = 2 ** 23;

/** What is to be rendered. */
export interface RenderTask {
  readonly conversation: Conversation;
  /** Whether the model is to go on: then the text ends where its turn begins, and nothing is learned. */
  readonly prompt: boolean;
}

/** Marks of `{% generation %}` blocks: characters of private use, which are taken out again. */
const [OPEN, CLOSE] = ['\ue0d1', '\ue0d2'];

/** Renders conversations by a template. It runs in a thread of its own: see {@link ChatRenderer}. */
export class TemplateRun {
  readonly #template: Template;
  /** The template with marks where its `{% generation %}` blocks begin and end, where it has them. */
  readonly #marked: Template | undefined;

  /** @throws Error (of `@huggingface/jinja`) for a template that cannot be read */
  constructor(private readonly chat: ChatTemplate) {
    correctStrip();
    this.#template = new Template(chat.source);
    const marked = chat.source.replace(GENERATION, (_, left: string, end: string | undefined, right: string) => {
      return `{{${left} '${end === undefined ? OPEN : CLOSE}' ${right}}}`;
    });
    if (marked !== chat.source) this.#marked = new Template(marked);
  }

  render({ conversation, prompt }: RenderTask): RenderedChat {
    const { messages, tools } = conversation;
    const render = (template: Template): Render => {
      return (list, options) => {
        const text = template.render({
          ...this.chat.names,
          messages: structuredClone(list),
          ...(options.tools && { tools: structuredClone(options.tools) }),
          add_generation_prompt: options.prompt,
        });
        if (text.length <= LONGEST_RENDER) return text;
        throw new Error(`it makes ${text.length} characters of a conversation, more than ${LONGEST_RENDER}`);
      };
    };
    const plain = render(this.#template);
    const text = plain(messages, { prompt, tools });
    if (prompt) return { text, learned: [] };
    const learned = this.#marked
      ? spansOfMarks(render(this.#marked)(messages, { prompt, tools }), text)
      : learnedByPrefixes(plain, conversation, text);
    if (learned === undefined)
      throw new Error('the place of an assistant turn is not found in what it makes of a conversation');
    const turns = this.#marked ? learned.slice(-ownTurns(conversation)) : learned;
    const rest = this.#marked && turns.length > 0 ? this.#unlearned(plain, conversation, text, turns.at(-1)!) : '';
    return { text, learned: turns, ...(rest !== '' && { unlearnedEnd: rest }) };
  }

  /** What closes the last turn of the assistant behind what is learned of it. */
  #unlearned(plain: Render, conversation: Conversation, text: string, last: TextSpan): string {
    const whole = learnedByPrefixes(plain, conversation, text)?.at(-1);
    return whole !== undefined && whole.end > last.end ? text.slice(last.end, whole.end).trim() : '';
  }
}

/** How many turns of the assistant may be learned. */
const ownTurns = ({ messages, from }: Conversation): number =>
  messages.slice(from).filter(({ role }) => role === 'assistant').length;

/** A generation tag, with the blanks before it on its line and the line feed behind it, which Jinja takes away. */
const GENERATION = /(?:^[ \t]*)?\{%(-?)\s*(end)?generation\s*(-?)%\}\n?/gm;

function spansOfMarks(marked: string, text: string): TextSpan[] | undefined {
  const spans: TextSpan[] = [];
  let [taken, start] = [0, -1];
  for (let i = 0; i < marked.length; i++) {
    if (marked[i] !== OPEN && marked[i] !== CLOSE) continue;
    if (marked[i] === OPEN) start = i - taken;
    else if (start >= 0 && i - taken > start) spans.push({ start, end: i - taken });
    taken++;
  }
  return marked.replaceAll(OPEN!, '').replaceAll(CLOSE!, '') === text ? spans : undefined;
}
