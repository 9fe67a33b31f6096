/*
 * Tokens added to a model that exists.
 * Shape suffixes: V rows of the vocabulary; C values of a row.
 */
import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import type { TrainedParts } from './adapter.js';
import type { ParameterEntry } from './layout.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';

/** Most tokens of a vocabulary: indices of an embedding are far from any limit, but a larger one is a mistake. */
const MOST = 2 ** 24;

/** A model whose vocabulary has room for added tokens. */
export interface GrownModel {
  readonly model: Model;
  /** Rows that it has more than before; none where the vocabulary was padded. */
  readonly rows: number;
}

/**
 * The same model with a vocabulary of so many tokens at least; rows beyond its tokenizer's are used first.
 *
 * @throws UsageError when there are too many
 */
export function growVocabulary(model: Model, size: number): GrownModel {
  const { vocabulary } = model.dimensions;
  if (size > MOST)
    throw spelledError(
      UsageError,
      ({ option }) => `${option('addTokens')} makes a vocabulary of ${size} tokens; at most ${MOST} are possible.`,
    );
  if (size <= vocabulary) return { model, rows: 0 };
  return { model: withVocabulary(model, size), rows: size - vocabulary };
}

function withVocabulary({ architecture, config }: Model, size: number): Model {
  const key = new PublishedConfig(architecture.name, config).sizeKey('vocabulary')!;
  return Model.fromConfig({ ...(config as object), [key]: size });
}

/**
 * The vector of a model with added tokens: every row of theirs, in the embedding, an untied head and its bias alike, is
 * the mean of the rows of the tokens that were there, so that at first none is likelier than the average token
 * (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models"). `resize_token_embeddings` of Python
 * `transformers` draws from a normal distribution around that mean; without its noise the start is the same for any seed.
 *
 * @param tokens how many tokens were there; rows after them were padding
 * @param ids those of the added tokens
 */
export function addRows(
  from: Model,
  to: Model,
  parameters: Float32Array,
  { tokens, ids }: { readonly tokens: number; readonly ids: readonly number[] },
): Float32Array {
  const grown = new Float32Array(to.layout.size);
  const before = from.layout.views(parameters);
  const after = to.layout.views(grown);
  for (const [name, values] of Object.entries(before)) after[name]!.set(values);
  for (const { name, size, shape } of vocabularyParameters(from)) {
    const width = size / shape[0]!;
    const mean_C = new Float64Array(width);
    const rows_VC = before[name]!;
    for (let i = 0; i < tokens * width; i++) mean_C[i % width]! += rows_VC[i]! / tokens;
    for (const id of ids) after[name]!.set(mean_C, id * width);
  }
  return grown;
}

/** The parameters with a row a token: those that a larger vocabulary makes longer. */
function vocabularyParameters(model: Model): ParameterEntry[] {
  const probe = withVocabulary(model, model.dimensions.vocabulary + 1);
  const rows = new Map(probe.layout.entries.map(({ name, shape }) => [name, shape[0]]));
  return model.layout.entries.filter(({ name, shape }) => rows.get(name) !== shape[0]);
}

/**
 * Sees to it that rows of added tokens are trained: at their mean they all mean the same.
 *
 * @throws UsageError saying what keeps them as they are, and what to do
 */
export function requireTrainedRows(model: Model, parts: TrainedParts): void {
  const names = vocabularyParameters(model).map(({ name }) => name);
  if (parts.adapter) {
    const adapted = model.partly(parts);
    const trained = new Set(adapted.tokenRows.map(({ name }) => `${name}.weight`));
    const twice = adapted.adapted.filter(({ name }) => trained.has(`${name}.weight`)).map(({ name }) => name);
    if (twice.length > 0)
      throw spelledError(
        UsageError,
        ({ option }) =>
          `${option('targets')} names ${twice.join(' and ')}, whose rows of ${option('addTokens')} are trained themselves beside the ` +
          'adapter: PEFT has no adapter of both kinds there. Leave them out of the targets.',
      );
    if (names.every((name) => trained.has(name))) return;
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('adapter', 'lora')} leaves the rows of tokens of a ${model.architecture.name} model as they are, so those of ${option('addTokens')} would learn ` +
        `nothing. First train the rows alone, with ${option('addTokens')} and ${option('freeze', `*,!${names.join(',!')}`)}; ` +
        `then the adapter, with ${option('from')} that run.`,
    );
  }
  const trained = new Set(model.partly(parts).trained.entries.map(({ name }) => name));
  const frozen = names.filter((name) => !trained.has(name));
  if (frozen.length === 0) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('freeze')} leaves ${frozen.join(' and ')} as they are, which hold the rows of ${option('addTokens')}: these would ` +
      `learn nothing. Take them back: ${option('freeze', `!${frozen.join(',!')}`)} after the other patterns.`,
  );
}
