import { MeanfieldError } from '../../base/errors.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import type { ChatRenderer } from './renderer.js';

/** What a template closes a turn of the assistant by. */
export interface TurnEnd {
  /** Empty where a template closes by nothing but blanks. */
  readonly text: string;
  /** The token that it is, where it is one. */
  readonly id: number | undefined;
}

const ANSWER = 'Yes';

/**
 * Finds what ends a turn by what the template makes of a short conversation.
 *
 * @throws MeanfieldError when the template refuses it
 */
export async function findTurnEnd(renderer: Pick<ChatRenderer, 'render'>, tokenizer: Tokenizer): Promise<TurnEnd> {
  const messages = [
    { role: 'user', content: 'Well?' },
    { role: 'assistant', content: ANSWER },
  ] as const;
  const [answer] = await renderer.render([{ conversation: { messages, from: 0 }, prompt: false }]);
  if (answer === undefined || 'fault' in answer)
    throw new MeanfieldError(`The chat template refuses a question with its answer: ${answer?.fault ?? 'no answer'}.`);
  const { text, learned, unlearnedEnd } = answer;
  const { start, end } = learned.at(-1) ?? { start: text.length, end: text.length };
  const said = text.slice(start, end);
  const closing = said.slice(said.lastIndexOf(ANSWER) + ANSWER.length).trim() || (unlearnedEnd ?? '');
  const ids = closing === '' ? [] : tokenizer.encode(closing);
  return { text: closing, id: ids.length === 1 ? ids[0] : undefined };
}

/** What is wrong with a template that {@link endsTurns} denies. */
export const ENDLESS = 'nothing but blanks ends a turn of the assistant: a model would never learn to stop';

/** Whether a template closes turns by what can be learned. One that refuses so short a conversation is believed. */
export function endsTurns(renderer: Pick<ChatRenderer, 'render'>, tokenizer: Tokenizer): Promise<boolean> {
  return findTurnEnd(renderer, tokenizer).then(
    ({ text }) => text !== '',
    () => true,
  );
}
