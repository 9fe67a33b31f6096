import { MeanfieldError } from '../base/errors.js';
import type { SafetensorsFile } from '../base/files/safetensors.js';
import type { AdaptableLayer } from '../model/adapter.js';
import { someNames } from '../model/config-rules.js';
import { growVocabulary } from '../model/grow-vocabulary.js';
import type { Model } from '../model/model.js';
import { ADAPTER_CONFIG } from './model-files.js';

/** Rows of tokens that an adapter of PEFT holds (trainable_token_indices): of the embedding, or of an untied head. */
export interface LoadedRows {
  /** The parameter that has a row a token. */
  readonly parameter: string;
  /** Of the tokens, in the order of the rows. */
  readonly ids: readonly number[];
  /** A row a token. */
  readonly values: Float32Array;
}

/** What an adapter's settings say of tokens. */
interface TokenSettings {
  readonly trainable_token_indices?: readonly number[] | Readonly<Record<string, readonly number[]>> | null | undefined;
}

/**
 * Reads the rows of tokens that an adapter was trained with. They may lie behind the model's: then it has more tokens with it.
 *
 * @param tensors names of the tensors of rows, by the matrices' names
 * @throws MeanfieldError when settings and tensors contradict each other, or do not fit the model
 */
export async function readTokenRows(
  file: SafetensorsFile,
  tensors: ReadonlyMap<string, string>,
  { trainable_token_indices: told }: TokenSettings,
  model: Model,
): Promise<{ readonly tokenRows: readonly LoadedRows[]; readonly vocabulary: number }> {
  const { vocabulary, width } = model.dimensions;
  const fail = (why: string) => new MeanfieldError(`${file.path} is no adapter of this model, or damaged: ${why}.`);
  const ends = model.adaptableLayers().filter(({ role }) => role !== undefined);
  const tokenRows: LoadedRows[] = [];
  for (const [name, tensor] of tensors) {
    const end = ends.find((layer) => layer.name === name || layer.name.endsWith(`.${name}`));
    if (!end) throw fail(`the model has no rows of tokens in ${name}`);
    const ids = idsOf(told, end);
    if (!ids) throw fail(`trainable_token_indices of ${ADAPTER_CONFIG} does not name ${name}`);
    const shape = file.info(tensor).shape.join(', ');
    if (shape !== `${ids.length}, ${width}`)
      throw fail(
        `${tensor} is [${shape}], expected [${ids.length}, ${width}], a row for each of trainable_token_indices`,
      );
    if (new Set(ids).size < ids.length) throw fail(`trainable_token_indices names a token twice for ${name}`);
    tokenRows.push({ parameter: `${end.name}.weight`, ids, values: await file.readFloat32(tensor) });
  }
  const missing = ends.filter(
    (end) => idsOf(told, end) && !tokenRows.some(({ parameter }) => parameter === `${end.name}.weight`),
  );
  if (missing.length > 0)
    throw fail(`trainable_token_indices names ${someNames(missing.map(({ name }) => name))}, of which it has no rows`);
  return {
    tokenRows,
    vocabulary: vocabularyWith(
      tokenRows,
      vocabulary,
      ends.map(({ name }) => `${name}.weight`),
      fail,
    ),
  };
}

/** The ids of a matrix: a list is of the embedding, else they are told by the ends of names. */
function idsOf(
  told: TokenSettings['trainable_token_indices'],
  { name, role }: Pick<AdaptableLayer, 'name' | 'role'>,
): readonly number[] | undefined {
  if (Array.isArray(told)) return role === 'embedding' && told.length > 0 ? told : undefined;
  const found = Object.entries(told ?? {}).find(([key]) => name === key || name.endsWith(`.${key}`));
  return found?.[1] as readonly number[] | undefined;
}

/** Tokens of the base and of the rows behind it, which must be all there, in every matrix. */
function vocabularyWith(
  tokenRows: readonly LoadedRows[],
  vocabulary: number,
  matrices: readonly string[],
  fail: (why: string) => MeanfieldError,
): number {
  const most = tokenRows.reduce(
    (largest, { ids }) => ids.reduce((one, id) => Math.max(one, id + 1), largest),
    vocabulary,
  );
  if (most === vocabulary) return vocabulary;
  for (const name of matrices) {
    const behind = tokenRows.find(({ parameter }) => parameter === name)?.ids.filter((id) => id >= vocabulary) ?? [];
    if (behind.length !== most - vocabulary)
      throw fail(
        `the base has ${vocabulary} tokens, and of ${most - vocabulary} behind them ${someNames([name])} has rows of ${behind.length}`,
      );
  }
  return most;
}

/** The model with as many tokens as it has with an adapter, and its vector with the rows in their places. */
export function takeTokenRows(
  model: Model,
  parameters: Float32Array,
  { tokenRows, vocabulary }: { readonly tokenRows: readonly LoadedRows[]; readonly vocabulary: number },
): { readonly model: Model; readonly parameters: Float32Array } {
  const grown = growVocabulary(model, vocabulary).model;
  const all = grown === model ? parameters : new Float32Array(grown.layout.size);
  const views = grown.layout.views(all);
  if (grown !== model)
    for (const [name, values] of Object.entries(model.layout.views(parameters))) views[name]!.set(values);
  for (const { parameter, ids, values } of tokenRows) {
    const width = values.length / ids.length;
    for (const [i, id] of ids.entries()) views[parameter]!.set(values.subarray(i * width, (i + 1) * width), id * width);
  }
  return { model: grown, parameters: all };
}
