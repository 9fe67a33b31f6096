/*
 * Shape suffixes: N tokens; V rows of the vocabulary; C values of a row.
 */
import { gather, type Tensor } from '../graph/index.js';
import { EMBEDDING, type TracedParameters } from './architecture.js';

/**
 * The rows of tokens. Architectures that write embed their tokens by this one, and so an adapter can stand beside it.
 *
 * @param name of the embedding: its parameter is `name.weight`, [V, C]
 * @param ids_N int64
 * @returns [N, C]
 */
export function embedding(p: TracedParameters, name: string, ids_N: Tensor): Tensor {
  const x_NC = gather(p[`${name}.weight`]!, ids_N);
  return p[EMBEDDING]?.(name, ids_N, x_NC) ?? x_NC;
}
