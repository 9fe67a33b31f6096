import { NodeEngine } from '../src/engine/node/engine.js';
import type { LoadedModel } from '../src/hub/load-model.js';
import { Decoder } from '../src/inference/index.js';

/** What a model of the past says after each of some tokens. */
export async function logitsOf(loaded: LoadedModel, ids: readonly number[]): Promise<number[][]> {
  const decoder = new Decoder({ ...loaded, engine: new NodeEngine() });
  const logits: number[][] = [];
  for (const id of ids) logits.push([...(await decoder.step([id])).logits]);
  await decoder.dispose();
  return logits;
}
