import type { Workload } from '../types.js';
import type { Fields } from './fields.js';

/** Tokens of BERT's pre-training: 7,037 steps of 65,536 × 128, 1,562 of 32,768 × 512 (arXiv 1904.00962, §4.1). */
const BERT_TOKENS = 7037 * 65536 * 128 + 1562 * 32768 * 512;

/** Tokens of a whole run: printed, or BERT's recipe for a masked model, or 20 a parameter (arXiv 2203.15556). */
export function tokensOf(fields: Fields, w: Workload): number {
  const printed = fields.number('tokens_trained_B');
  if (printed !== undefined) return printed * 1e9;
  return w.causal ? 20 * w.parameters : BERT_TOKENS;
}
