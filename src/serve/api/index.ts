import { completions } from './completions.js';
import type { Endpoint } from './endpoint.js';
import { model, models } from './models.js';
import { health, metrics } from './status.js';

/** All that the server answers, in the order of its document. */
export const ENDPOINTS: readonly Endpoint[] = [models, model, completions, health, metrics];
