import { z } from 'zod';
import type { TokenWindow } from '../data/sampling/token-windows.js';
import type { Model } from '../model/model.js';
import { Causal } from './causal/causal.js';
import { Masked } from './masked/masked.js';
import type { Objective } from './objective.js';

const masked = z.strictObject({
  name: z.literal('masked'),
  /** The share of tokens that are to be told. */
  rate: z.number().gt(0).lte(0.5),
  /** The id of the tokenizer's mask token. */
  mask: z.int().positive(),
});

/** What is learned, with its settings: as `run.json` and the configuration of a cluster's run hold it. */
export const objectiveSchema = z.discriminatedUnion('name', [z.strictObject({ name: z.literal('causal') }), masked]);

/** What is learned, with its settings. */
export type ObjectiveConfig = z.output<typeof objectiveSchema>;

/** What a run learns unless it says otherwise. */
export const CAUSAL: ObjectiveConfig = { name: 'causal' };

/** What an objective over the windows of a text is made for. */
export interface ObjectiveSetting {
  readonly model: Model;
  /** Tokens that the model sees of a window. */
  readonly context: number;
  /** Of the run, for the chance that an objective has. */
  readonly seed: number;
}

/**
 * An objective over windows of a text.
 *
 * @throws UsageError when the model cannot learn it
 */
export function createObjective(config: ObjectiveConfig, setting: ObjectiveSetting): Objective<TokenWindow> {
  const { model, context, seed } = setting;
  const make = {
    causal: () => new Causal(model, context),
    masked: () => new Masked(model, { ...(config as z.output<typeof masked>), context, seed }),
  };
  return make[config.name]();
}
