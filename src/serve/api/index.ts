import { chat } from './chat.js';
import { classify } from './classify.js';
import { completions } from './completions.js';
import { embeddings } from './embeddings.js';
import type { Endpoint } from './endpoint.js';
import { model, models } from './models.js';
import { moderations } from './moderations.js';
import { rerank } from './rerank.js';
import { health, metrics } from './status.js';
import { detokenize, tokenize } from './tokens.js';

/** All that the server answers, in the order of its document. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...[models, model, chat, completions, embeddings, moderations, rerank, classify],
  ...[tokenize, detokenize, health, metrics],
];
