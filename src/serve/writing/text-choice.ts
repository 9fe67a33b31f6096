import type { CompletionEvent, ServedModel } from '../../inference/completions/completion.js';
import { finishReason } from './answer.js';
import { type TextLogprobs, TextLogprobTeller } from './token-texts.js';

/** A piece of a text, as an event of `/v1/completions` has it. */
export interface TextPiece {
  readonly text: string;
  readonly index: number;
  readonly logprobs: TextLogprobs | null;
  readonly finish_reason: 'stop' | 'length' | null;
}

/** One text that `/v1/completions` has written. */
export class TextChoice {
  readonly #teller: TextLogprobTeller | undefined;
  readonly #index: number;
  readonly #echo: string | undefined;

  /** @param echo the prompt, where the answer begins with it */
  constructor(
    model: ServedModel,
    { index, logprobs, echo }: { index: number; logprobs: boolean; echo: string | undefined },
  ) {
    this.#teller = logprobs ? new TextLogprobTeller(model) : undefined;
    this.#index = index;
    this.#echo = echo;
  }

  /** What an event of the model adds to the text. */
  async *pieces(event: CompletionEvent): AsyncGenerator<TextPiece, void> {
    const piece = (text: string, logprobs: TextLogprobs | undefined, reason: TextPiece['finish_reason'] = null) => ({
      text,
      index: this.#index,
      logprobs: logprobs ?? null,
      finish_reason: reason,
    });
    if (event.type === 'prompt') {
      if (this.#echo === undefined) return;
      yield piece(this.#echo, event.scored && (await this.#teller?.tell(event.scored)));
    } else if (event.type === 'text') yield piece(event.text, await this.#teller?.tell(event.tokens));
    else yield piece('', undefined, finishReason(event));
  }

  /** Puts pieces together. */
  collector(): { add(piece: TextPiece): void; choice(): TextPiece } {
    let text = '';
    let reason: TextPiece['finish_reason'] = null;
    const told: TextLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    return {
      add: (piece) => {
        text += piece.text;
        reason = piece.finish_reason ?? reason;
        if (piece.logprobs === null) return;
        for (const key of Object.keys(told) as (keyof TextLogprobs)[])
          for (const value of piece.logprobs[key]) (told[key] as unknown[]).push(value);
      },
      choice: () => ({
        text,
        index: this.#index,
        logprobs: this.#teller === undefined ? null : told,
        finish_reason: reason,
      }),
    };
  }
}
