import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import { parseTokenizer } from '../data/index.js';
import { tokenDifference } from '../data/tokenizers/same-tokens.js';
import { withTextModel } from '../hub/load-model.js';
import type { Model } from '../model/model.js';
import { modelShape, type ParsedTrainOptions, type TrainOptions } from './options.js';
import { mergeWithEngine, type RunSource } from './source.js';

/** A teacher before its parameters are read. */
export interface OpenedTeacher {
  readonly model: Model;
  /** The tokenizer's own files, by name, which a student has that starts from nothing. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly notices: readonly string[];
}

/**
 * Checks what was given beside a teacher, before defaults are put in.
 *
 * @throws UsageError naming the options that do not go together
 */
export function checkTeacher(given: TrainOptions): void {
  const { teacher, from } = given;
  const refuse = (names: readonly (keyof TrainOptions)[], why: (teacher: string) => string) => {
    const some = names.filter((name) => given[name] !== undefined);
    if (some.length === 0) return;
    throw spelledError(
      UsageError,
      ({ option }) => `${some.map((name) => option(name)).join(', ')}: ${why(option('teacher'))}`,
    );
  };
  if (teacher === undefined) {
    refuse(['teacherWeight', 'teacherTemperature'], (name) => `how much a teacher counts. Name one with ${name}.`);
    return;
  }
  if (from === undefined)
    refuse(
      ['tokenizer', 'vocab'],
      (name) =>
        `a student has the tokens of the model that ${name} names, so its tokenizer is that one's. Leave it out.`,
    );
  refuse(
    ['addTokens', 'plainTokens'],
    (name) => `the model that ${name} names does not know them. Leave one of them out.`,
  );
}

/**
 * Looks at the model that is to teach.
 *
 * @param source what the student starts from, if it starts from a model
 * @throws MeanfieldError when there is no such model, or it is damaged
 * @throws UsageError when its tokens are not the student's, or it reads shorter texts
 */
export function openTeacher(
  teacher: string,
  options: ParsedTrainOptions,
  source: RunSource | undefined,
): Promise<OpenedTeacher> {
  return withTextModel(
    teacher,
    async (opened) => {
      const { model, tokenizerFiles, notices } = opened;
      const { context } = modelShape(options);
      const longest = model.dimensions.context;
      if (context > longest)
        throw spelledError(
          UsageError,
          ({ option }) =>
            `${option('teacher', teacher)} reads at most ${longest} tokens, and a window of this run has ${context}. Take ` +
            `${option('context', longest)}, or a teacher that reads more.`,
        );
      const tokenizer = await opened.tokenizer();
      if (source) {
        const { 'tokenizer.json': json = '', 'tokenizer_config.json': config = '{}' } = source.tokenizerFiles;
        const own = await parseTokenizer({ 'tokenizer.json': json, 'tokenizer_config.json': config }, options.from!);
        const difference = tokenDifference(own, tokenizer);
        if (difference !== undefined)
          throw spelledError(
            UsageError,
            ({ option }) =>
              `A teacher tells how likely each token is, so it must have the student's tokens: of ${options.from} and ` +
              `${option('teacher', teacher)}, ${difference}. Take two models of one tokenizer, or leave ${option('from')} ` +
              "out for a new student with the teacher's.",
          );
      }
      return { model, tokenizerFiles, notices: notices.map((notice) => `The teacher: ${notice}`) };
    },
    mergeWithEngine,
  );
}
