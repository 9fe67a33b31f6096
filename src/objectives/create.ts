import { z } from 'zod';
import type { TokenWindow } from '../data/sampling/token-windows.js';
import type { Model } from '../model/model.js';
import { Causal } from './causal/causal.js';
import type { Objective } from './objective.js';

/** What is learned, with its settings: as `run.json` and the configuration of a cluster's run hold it. */
export const objectiveSchema = z.discriminatedUnion('name', [z.strictObject({ name: z.literal('causal') })]);

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

/** An objective over windows of a text. */
export function createObjective(
  _config: ObjectiveConfig,
  { model, context }: ObjectiveSetting,
): Objective<TokenWindow> {
  return new Causal(model, context);
}
