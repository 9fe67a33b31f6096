import { MeanfieldError, UsageError } from '../base/errors.js';
import type { JsonObject } from '../base/json.js';
import type { TokenizerFiles } from '../data/tokenizers/tokenizer.js';
import { configNotices } from '../model/config-rules.js';
import { Model } from '../model/model.js';
import { PublishedConfig } from '../model/published.js';
import { type MatchedTensor, matchTensors, type TensorNames, unusedNotices } from './match-tensors.js';

/** A model of text, and where in its weights its parameters are. */
export interface MatchedModel {
  readonly model: Model;
  readonly tensors: readonly MatchedTensor[];
  /** What the user should be told: keys and tensors that nothing here reads. */
  readonly notices: readonly string[];
}

/**
 * What model of text a `config.json` describes, and which tensors are its parameters.
 *
 * @param where what the user called it, and where its files are
 * @throws MeanfieldError when the weights are not those of the configuration
 * @throws UsageError for a configuration that no family can be
 */
export function matchModel(
  config: JsonObject,
  weights: TensorNames,
  { name, path }: { readonly name: string; readonly path: string },
): MatchedModel {
  const { meanfield_objective: own, model_type: type } = config;
  if (own !== undefined)
    throw new UsageError(
      `${name} holds a model of one's own, ${type}: it is no model of text, which alone can be loaded, evaluated or ` +
        `let write here. Its parameters are in ${path}/model.safetensors, and its code in its own module.`,
    );
  const model = Model.fromConfig(config);
  const published = new PublishedConfig(model.architecture.name, config);
  const { tensors, unknown } = matchTensors(weights, model, published);
  return { model, tensors, notices: [...configNotices(published), ...unusedNotices(weights, model, unknown)] };
}

/** What a tokenizer is made of, of the files beside a model. @throws MeanfieldError where there is none */
export function textFiles(files: Readonly<Record<string, string>>, path: string): TokenizerFiles {
  const json = files['tokenizer.json'];
  if (json === undefined) {
    throw new MeanfieldError(
      `${path} has no tokenizer.json. Save it in Python: AutoTokenizer.from_pretrained(…).save_pretrained(folder).`,
    );
  }
  return { 'tokenizer.json': json, 'tokenizer_config.json': files['tokenizer_config.json'] ?? '{}' };
}

interface NamedValues {
  readonly name: string;
  readonly values: Float32Array;
}

/** @throws MeanfieldError where two tensors differ that are one parameter */
export function checkCopy(path: string, one: NamedValues, other: NamedValues): void {
  if (other.values.some((value, i) => !Object.is(value, one.values[i]))) throw copyFault(path, one.name, other.name);
}

export const copyFault = (path: string, one: string, other: string): MeanfieldError =>
  new MeanfieldError(
    `${path}: tensors ${one} and ${other} are one in this model, but hold other values. If they are two, ` +
      'config.json should say "tie_word_embeddings": false.',
  );
