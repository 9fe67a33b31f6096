import { z } from 'zod';
import { UsageError } from '../base/errors.js';
import type { TokenWindow } from '../data/sampling/token-windows.js';
import { someNames } from '../model/config-rules.js';
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

const chat = z.strictObject({
  name: z.literal('chat'),
  /** Whether rows share windows. */
  packed: z.boolean(),
});

/** What is learned of the windows of a text, as the configuration of a cluster's run holds it. */
export const textObjectiveSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('causal') }),
  masked,
]);

/** What is learned, with its settings: as `run.json` holds it. */
export const objectiveSchema = z.discriminatedUnion('name', [...textObjectiveSchema.options, chat]);

/** What is learned, with its settings. */
export type ObjectiveConfig = z.output<typeof objectiveSchema>;

/** What is learned of the windows of a text, with its settings. */
export type TextObjectiveConfig = z.output<typeof textObjectiveSchema>;

/** What a run learns unless it says otherwise. */
export const CAUSAL: TextObjectiveConfig = { name: 'causal' };

/** What an objective over the windows of a text is made for. */
export interface ObjectiveSetting {
  readonly model: Model;
  /** Tokens that the model sees of a window. */
  readonly context: number;
  /** Of the run, for the chance that an objective has. */
  readonly seed: number;
  /** The id that is read for what the vocabulary does not have, where there can be such. */
  readonly standIn?: number | undefined;
}

/** The share of tokens to be told, where nothing else was asked for (BERT, arXiv 1810.04805 §3.1). */
const RATE = 0.15;

/**
 * What a model was made to learn from texts, as far as it shows: the next token, or masked ones.
 *
 * @param mask the id of the tokenizer's mask token
 * @throws UsageError when it tells masked tokens and there is no mask, or it is an encoder that tells none
 */
export function objectiveOf(model: Model, mask: number | undefined): TextObjectiveConfig {
  const { architecture } = model;
  if (architecture.sees === 'past') return CAUSAL;
  if (architecture.encoder)
    throw new UsageError(
      `A ${architecture.name} model reads a source: eval, which has texts alone, cannot measure it.`,
    );
  if (!model.scoresTokens)
    throw new UsageError(
      `This ${architecture.name} model has no head that tells masked tokens: \`architectures\` in its config.json names ` +
        `${someNames(classNames(model))}. So it cannot be measured by them: take the files of a ForMaskedLM model.`,
    );
  if (mask !== undefined) return { name: 'masked', rate: RATE, mask };
  throw new UsageError(
    `A ${architecture.name} model tells masked tokens, but its tokenizer has no mask: its tokenizer_config.json names no ` +
      'mask_token that its tokenizer.json has. Take the files that belong to the model.',
  );
}

/** The classes that a configuration names. */
function classNames({ config }: Model): string[] {
  const { architectures } = config as { architectures?: unknown };
  return Array.isArray(architectures) ? architectures.map(String) : [];
}

/**
 * An objective over windows of a text.
 *
 * @throws UsageError when the model cannot learn it
 */
export function createObjective(config: TextObjectiveConfig, setting: ObjectiveSetting): Objective<TokenWindow> {
  const { model, context, seed, standIn = 0 } = setting;
  const make = {
    causal: () => new Causal(model, context, standIn),
    masked: () => new Masked(model, { ...(config as z.output<typeof masked>), context, seed, standIn }),
  };
  return make[config.name]();
}
