import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { forEachSegment, type TextBatch } from './text-batches.js';

/** The tokens of a batch, with the token between documents before every document that begins in it. */
export function encodeBatch(tokenizer: Tokenizer, batch: TextBatch): Uint32Array {
  const parts: Uint32Array[] = [];
  let length = 0;
  const push = (ids: Uint32Array) => {
    parts.push(ids);
    length += ids.length;
  };
  const between = tokenizer.endOfText === undefined ? undefined : Uint32Array.of(tokenizer.endOfText);
  forEachSegment(batch, (text, segment) => {
    if (segment.opens && between !== undefined) push(between);
    push(tokenizer.encode(text));
  });
  if (parts.length === 1) return parts[0]!;
  const ids = new Uint32Array(length);
  let at = 0;
  for (const part of parts) {
    ids.set(part, at);
    at += part.length;
  }
  return ids;
}
