/*
 * Modules that are trained whole beside an adapter (PEFT's modules_to_save): each of their parameters has a copy that is
 * trained and counts in its place.
 */
import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import type { TracedParameters } from './architecture.js';
import type { ParameterSpec } from './layout.js';
import { NamePattern } from './name-patterns.js';

/** A parameter of the model that is trained whole: its name and shape. */
export type SavedParameter = Pick<ParameterSpec, 'name' | 'shape'>;

const moduleOf = (parameter: string): string => parameter.slice(0, parameter.lastIndexOf('.'));

/** What the copy of a parameter is called: `lm_head.modules_to_save.weight`. */
export const savedName = (parameter: string): string =>
  `${moduleOf(parameter)}.modules_to_save${parameter.slice(parameter.lastIndexOf('.'))}`;

/** The modules of some parameters, each once. */
export const modulesOf = (parameters: readonly SavedParameter[]): string[] => [
  ...new Set(parameters.map(({ name }) => moduleOf(name))),
];

/**
 * The parameters of the modules that patterns name.
 *
 * @param patterns see {@link NamePattern}; several in one text are set apart by commas
 * @param tiedHead the head's name, where it has no parameter of its own
 * @throws UsageError naming a pattern that fits none
 */
export function savedParameters(
  all: readonly SavedParameter[],
  patterns: readonly string[],
  tiedHead: string | undefined,
): SavedParameter[] {
  const chosen = new Set<string>();
  for (const text of patterns.flatMap((one) => one.split(','))) {
    const pattern = new NamePattern(text.trim());
    const fitting = all.filter(({ name }) => pattern.fits(moduleOf(name)));
    if (fitting.length === 0)
      throw spelledError(UsageError, ({ option }) => {
        if (tiedHead !== undefined && pattern.fits(tiedHead))
          return (
            `${option('modulesToSave', text.trim())}: embedding and head are one matrix in this model. Name the embedding, ` +
            'which is trained as both.'
          );
        const kinds = [...new Set(modulesOf(all).map((name) => name.replace(/\.\d+\./, '.*.')))].join(', ');
        return (
          `${option('modulesToSave', text.trim())} fits none of the model's modules. A pattern stands for a whole name, or for its ` +
          `end after a dot; * is any characters. There are ${kinds}.`
        );
      });
    for (const { name } of fitting) chosen.add(name);
  }
  return all.filter(({ name }) => chosen.has(name)).map(({ name, shape }) => ({ name, shape }));
}

/** What copies begin as is the model's to say. */
export const savedSpecs = (saved: readonly SavedParameter[]): ParameterSpec[] =>
  saved.map(({ name, shape }) => ({ name: savedName(name), shape, initialization: { fill: 0 } }));

/** Copies begin as the model has them. */
export function startSaved(
  saved: readonly SavedParameter[],
  trained: Readonly<Record<string, Float32Array>>,
  own: Readonly<Record<string, Float32Array>>,
): void {
  for (const { name } of saved) trained[savedName(name)]!.set(own[name]!);
}

/** The parameters as the model is to read them: copies in the place of what they are copies of. */
export function withSaved(parameters: TracedParameters, saved: readonly SavedParameter[]): TracedParameters {
  if (saved.length === 0) return parameters;
  return { ...parameters, ...Object.fromEntries(saved.map(({ name }) => [name, parameters[savedName(name)]!])) };
}
