import type { CompletionEvent, ScoredToken, ServedModel } from '../../inference/completions/completion.js';
import { finishReason } from './answer.js';
import { chatLogprobs } from './token-texts.js';
import { type ToolCall, ToolCallReader } from './tool-calls.js';

type Scores = { readonly content: Awaited<ReturnType<typeof chatLogprobs>>; readonly refusal: null };
type Reason = 'stop' | 'length' | 'tool_calls';

/** A piece of an answer, as an event of a chat has it. */
export interface ChatPiece {
  readonly index: number;
  readonly delta: {
    readonly role?: 'assistant';
    readonly content?: string;
    readonly tool_calls?: readonly (ToolCall & { readonly index: number })[];
  };
  readonly logprobs: Scores | null;
  readonly finish_reason: Reason | null;
}

/** How an answer is told. */
export interface ChatChoiceOptions {
  readonly index: number;
  readonly logprobs: boolean;
  /** Names of the tools that the model may call. */
  readonly tools?: readonly string[] | undefined;
  /** Whether it may call several at once. */
  readonly parallel: boolean;
}

/** One answer in a chat. */
export class ChatChoice {
  readonly #reader: ToolCallReader | undefined;
  #calls = 0;

  constructor(
    private readonly model: ServedModel,
    private readonly options: ChatChoiceOptions,
  ) {
    this.#reader = options.tools && new ToolCallReader(options.tools);
  }

  /** What an event of the model adds to the answer; the first piece of all says who speaks. */
  async *pieces(event: CompletionEvent): AsyncGenerator<ChatPiece, void> {
    if (event.type === 'prompt') yield this.#piece({ role: 'assistant', content: '' });
    else if (event.type === 'text') {
      const { text, calls } = this.#reader?.push(event.text) ?? { text: event.text, calls: [] };
      const scores = await this.#scores(event.tokens);
      if (text !== '' || scores !== null) yield this.#piece({ content: text }, scores);
      yield* this.#called(calls);
    } else {
      const { text, calls } = this.#reader?.end() ?? { text: '', calls: [] };
      if (text !== '') yield this.#piece({ content: text });
      yield* this.#called(calls);
      const reason = finishReason(event);
      yield this.#piece({}, null, this.#calls > 0 && reason === 'stop' ? 'tool_calls' : reason);
    }
  }

  *#called(calls: readonly ToolCall[]): Generator<ChatPiece, void> {
    for (const call of calls) {
      if (this.#calls > 0 && !this.options.parallel) return;
      yield this.#piece({ tool_calls: [{ index: this.#calls++, ...call }] });
    }
  }

  #piece(delta: ChatPiece['delta'], logprobs: Scores | null = null, reason: Reason | null = null): ChatPiece {
    return { index: this.options.index, delta, logprobs, finish_reason: reason };
  }

  async #scores(tokens: readonly ScoredToken[]): Promise<Scores | null> {
    if (!this.options.logprobs || tokens.length === 0) return null;
    return { content: await chatLogprobs(this.model, tokens), refusal: null };
  }

  /** Puts pieces together to a choice. */
  collector() {
    let content = '';
    let reason: Reason | null = null;
    const calls: ToolCall[] = [];
    const scores: Scores['content'][number][] = [];
    return {
      add: ({ delta, logprobs, finish_reason }: ChatPiece) => {
        content += delta.content ?? '';
        for (const { index: _, ...call } of delta.tool_calls ?? []) calls.push(call);
        for (const score of logprobs?.content ?? []) scores.push(score);
        reason = finish_reason ?? reason;
      },
      choice: () => ({
        index: this.options.index,
        message: {
          role: 'assistant',
          content: content === '' && calls.length > 0 ? null : content,
          refusal: null,
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        logprobs: this.options.logprobs ? { content: scores, refusal: null } : null,
        finish_reason: reason,
      }),
    };
  }
}
