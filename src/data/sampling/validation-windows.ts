import { requireWindow } from '../shards/token-source.js';

/**
 * Where the windows start on which a model is validated: evenly spaced over the validation part, at most `maxTokens`
 * targets in all (but always one window), the same for any batch size, seed or number of replicas. Each is read as
 * `context` + 1 tokens. Where all fit, they lie end to end.
 *
 * @throws MeanfieldError when the part has no window of `context` + 1 tokens
 */
export function validationWindows(tokens: { readonly length: number }, context: number, maxTokens = 65_536): number[] {
  requireWindow(tokens, context, 'validation');
  const available = Math.floor((tokens.length - 1) / context);
  const count = Math.min(available, Math.max(1, Math.floor(maxTokens / context)));
  return Array.from({ length: count }, (_, i) => Math.floor((i * available) / count) * context);
}
