import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { CompletionEvent } from '../../inference/completions/completion.js';

/** A name for an answer, such as `cmpl-0f3c…`. */
export function answerId(kind: string): string {
  return `${kind}-${randomBytes(12).toString('hex')}`;
}

/** What an answer tells of tokens. */
export const usageSchema = z.strictObject({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.strictObject({ cached_tokens: z.int() }),
});

/** Why a text ended, as answers say it. */
export function finishReason({ reason }: CompletionEvent & { readonly type: 'end' }): 'stop' | 'length' {
  return reason === 'length' ? 'length' : 'stop';
}
