import { Random } from '../../base/random.js';
import { BytesTokenizer } from '../../data/index.js';
import type { AnySizeEngine } from '../../engine/engine.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { Model } from '../../model/model.js';
import { FusedSequences } from '../fused-sequences.js';
import { slotsFor } from '../row-cache.js';
import { weightsIn } from '../weights.js';
import type { CompletionEvent, CompletionRequest, ScoredToken } from './completion.js';
import { Completions, type CompletionsOptions } from './completions.js';

export const tokenizer = new BytesTokenizer();
export const engine = new NodeEngine() as AnySizeEngine;
const VOCABULARY = tokenizer.vocabularySize;

/** A small model of bytes, whose scores differ by more than rounding. */
export function smallModel(context = 256) {
  const model = Model.create('llama', {
    ...{ layers: 2, width: 32, heads: 4, keyValueHeads: 2, context, vocabulary: VOCABULARY },
  });
  const parameters = model.layout.initialize(new Random(5));
  for (let i = 0; i < parameters.length; i++) parameters[i]! *= 4;
  return { model, parameters };
}

export function open({
  context = 256,
  running = 8,
  slots = 8 * 256,
  ...options
}: Partial<CompletionsOptions> & { context?: number; running?: number; slots?: number } = {}) {
  const { model, parameters } = smallModel(context);
  const weights = weightsIn('fp32', model, model.layout.views(parameters));
  const sequences = new FusedSequences({ model, weights, engine, slots, mostTokens: 64 });
  const completions = new Completions({
    ...{ sequences, tokenizer, vocabulary: VOCABULARY, end: new Set<number>(), keptTokens: 512, timeLimit: 60_000 },
    limits: {
      running,
      waiting: 1000,
      fits: (count, longest) => count * slotsFor(longest, context) <= slots,
      pieceMs: 5,
    },
    ...options,
  });
  return { completions, sequences, model, parameters };
}

export const asked = (prompt: readonly number[], more: Partial<CompletionRequest> = {}): CompletionRequest => ({
  ...{ prompt, maxTokens: 20, temperature: 0, topK: 0, topP: 1, seed: 1, stop: [], client: 'a' },
  ...more,
});

/** What came of a request. */
export interface Told {
  readonly events: CompletionEvent[];
  ended: boolean;
  error?: unknown;
  text: string;
  tokens: ScoredToken[];
}

let ids = 0;

export function ask(completions: Completions, request: CompletionRequest): Told & { readonly id: number } {
  const id = ids++;
  const told: Told & { id: number } = { id, events: [], ended: false, text: '', tokens: [] };
  completions.add(id, request, {
    event: (event) => {
      told.events.push(event);
      if (event.type !== 'text') return;
      told.text += event.text;
      told.tokens.push(...event.tokens);
    },
    ended: (error) => {
      told.ended = true;
      told.error = error;
    },
  });
  return told;
}

export async function finish(completions: Completions): Promise<void> {
  while (!completions.idle) await completions.step();
}
