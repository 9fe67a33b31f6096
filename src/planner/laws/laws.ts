import { UsageError } from '../../base/errors.js';
import brains from './brains.json' with { type: 'json' };
import table from './laws.json' with { type: 'json' };
import type { ParametricLaw } from './parametric.js';

/** What every law tells of itself. */
interface Described {
  readonly name: string;
  readonly source: string;
  /** The largest runs it was fitted on; beyond them it extrapolates. */
  readonly upTo: { readonly parameters: number; readonly tokens: number };
}

/** How loss follows from parameters and tokens: a law for any of both, or one for the best of both alone. */
export type ScalingLaw =
  | (Described & ParametricLaw & { readonly form: 'parametric' })
  | (Described & {
      readonly form: 'frontier';
      /** N = parametersAtPfDay · C^parametersExponent, and L = (lossPfDays / C)^lossExponent, C in petaflop/s-days. */
      readonly parametersAtPfDay: number;
      readonly parametersExponent: number;
      readonly lossPfDays: number;
      readonly lossExponent: number;
    });

/** A model as large as a brain, under a stated assumption. */
export interface BrainSize {
  readonly name: string;
  readonly parameters: number;
  readonly assumption: string;
  readonly source: string;
}

/** Published laws by name. */
export const scalingLaws: readonly ScalingLaw[] = Object.entries(table).map(
  ([name, law]) => ({ name, ...law }) as ScalingLaw,
);

export const brainSizes: readonly BrainSize[] = Object.entries(brains).map(([name, size]) => ({ name, ...size }));

/** Names of {@link scalingLaws}. */
export const lawNames = Object.keys(table) as readonly (keyof typeof table)[];

/** @throws UsageError listing the names there are */
export function findLaw(name: string): ScalingLaw {
  return named(scalingLaws, name, 'scaling law');
}

/** @throws UsageError listing the names there are */
export function findBrain(name: string): BrainSize {
  return named(brainSizes, name, 'brain');
}

function named<T extends { readonly name: string }>(list: readonly T[], name: string, kind: string): T {
  const found = list.find((item) => item.name === name.toLowerCase());
  if (found) return found;
  throw new UsageError(
    `No ${kind} is called '${name.slice(0, 40)}'; there are ${list.map((item) => item.name).join(', ')}.`,
  );
}
