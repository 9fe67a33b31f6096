import { UsageError } from '../base/errors.js';
import type { Dimensions } from './architecture.js';
import presets from './presets.json' with { type: 'json' };

/** Sizes that work well together, by name; the vocabulary comes from the tokenizer unless a published model fixes it. */
export interface Preset extends Omit<Dimensions, 'vocabulary'> {
  readonly family: string;
  /** What the published model has; a tokenizer trained for a run aims at it. */
  readonly vocabulary?: number;
}

/**
 * The names that `--preset` takes.
 *
 * @category Training
 */
export type PresetName = keyof typeof presets;

/** All {@link PresetName}s. */
export const presetNames = Object.keys(presets) as readonly PresetName[];

/** @throws UsageError naming the presets there are */
export function findPreset(name: string): Preset {
  if (!Object.hasOwn(presets, name)) {
    throw new UsageError(`Unknown preset ${name}. Allowed: ${presetNames.join(', ')}.`);
  }
  return presets[name as PresetName];
}
