import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { exists } from '../base/files/exists.js';
import { writeFolderAtomic } from '../base/files/folder-swap.js';
import { readJsonFile } from '../base/files/json-file.js';
import { sha256 as hashOf } from '../base/hash.js';
import { isJsonObject, type JsonObject, jsonText } from '../base/json.js';
import { spelledError } from '../base/spelling.js';
import { addTokens } from '../data/tokenizers/add-tokens.js';
import { NodeEngine } from '../engine/node/engine.js';
import { type MergeAdapter, type OpenTextModel, withTextModel } from '../hub/load-model.js';
import { addRows, growVocabulary, requireTrainedRows } from '../model/grow-vocabulary.js';
import type { Model } from '../model/model.js';
import type { TokenRange } from '../model/token-rows.js';
import { learnsRows, objectiveOf as objectiveOfModel, type TextObjectiveConfig } from '../objectives/create.js';
import { mergeAdapter } from '../training/merge-adapter.js';
import { type ParsedTrainOptions, partsOf } from './options.js';

/** Tokens of a training window where none were asked for: of a longer context few texts and machines have any use. */
const CONTEXT = 1024;
const GENERATION = 'generation_config.json';

/** Joins an adapter with its base where a run reads a model. */
export const mergeWithEngine: MergeAdapter = (...adapted) => mergeAdapter(new NodeEngine(), ...adapted);

/** A model that a run starts from, but for its parameters. */
export interface RunSource {
  readonly model: Model;
  readonly objective: TextObjectiveConfig;
  readonly generationConfig?: JsonObject;
  /** The tokenizer's own files, by name. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly notices: readonly string[];
  /** The tokens that were added to it. */
  readonly added?: TokenRange;
}

/**
 * Looks at the model that a run is to start from, and fills in the options that it decides: what is learned, and how
 * long a window is.
 *
 * @throws MeanfieldError when there is no such model, or it is damaged
 * @throws UsageError when options ask for what it cannot do
 */
export async function openSource(from: string, options: ParsedTrainOptions): Promise<RunSource> {
  const source = await withTextModel(
    from,
    async (opened) => {
      const { model, tokenizerFiles, generationConfig, notices } = opened;
      const tokenizer = await opened.tokenizer();
      const { vocabulary } = model.dimensions;
      if (tokenizer.vocabularySize > vocabulary) {
        throw new MeanfieldError(
          `The tokenizer in ${opened.path} has ${tokenizer.vocabularySize} entries, and the model knows ${vocabulary}: they ` +
            'do not belong together.',
        );
      }
      const objective = objectiveOfModel(model, tokenizer);
      const kept = { objective, ...(generationConfig && { generationConfig }) };
      const { addTokens: tokens } = options;
      if (tokens === undefined) return { ...kept, model, tokenizerFiles, notices };
      const grown = await withTokens(opened, tokens, options);
      requireTrainedRows(grown.model, partsOf(options, grown.added));
      return { ...kept, ...grown, notices: [...notices, ...grown.notices] };
    },
    mergeWithEngine,
  );
  const { model, objective } = source;
  const { context } = model.dimensions;
  const { read } = model.reach;
  const chats = objective.name === 'causal' && options.objective !== undefined && learnsRows(options.objective);
  if (options.objective !== undefined && options.objective !== objective.name && !chats) {
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${from} is a ${model.architecture.name} model, which learns ${objective.name}${objective.name === 'causal' ? ', chat or preference' : ''}, not ${options.objective}. Leave ` +
        `${option('objective')} out.`,
    );
  }
  if ((options.context ?? 0) > read) {
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('context')} must be at most ${read}, the longest sequence of ${from}; got ${options.context}.`,
    );
  }
  options.objective ??= objective.name;
  options.context ??= Math.min(context, CONTEXT);
  return source;
}

type Added = Pick<ParsedTrainOptions, 'addTokens' | 'plainTokens'>;

/** A model and its tokenizer with tokens added to both. */
async function withTokens(opened: OpenTextModel, tokens: readonly string[], { plainTokens }: Added) {
  const before = (await opened.tokenizer()).vocabularySize;
  const { files, ids } = addTokens(opened.tokenizerFiles, tokens, !plainTokens);
  const { model, rows } = growVocabulary(opened.model, ids.at(-1)! + 1);
  const unused = ids.length - rows;
  const notices =
    unused === 0
      ? []
      : [
          `${unused} of the ${ids.length} added tokens take rows that the model has and its tokenizer did not use (of ` +
            `${opened.model.dimensions.vocabulary}, ${before} were in use); ${rows} rows are new.`,
        ];
  const added = { first: ids[0]!, count: ids.length };
  return { model, ids, added, tokens: before, tokenizerFiles: files, notices };
}

/**
 * The vector of a source's parameters, with rows for tokens that are added to it.
 *
 * @param expected the sha256 of its own parameters, where it is known
 * @returns the vector, and the sha256 of the source's own
 * @throws MeanfieldError when it cannot be read any more, or is another by now
 */
export async function readSource(
  from: string,
  added: Added,
  expected?: string,
): Promise<{ readonly parameters: Float32Array; readonly sha256: string }> {
  const read = async (opened: OpenTextModel) => {
    const parameters = await opened.parameters();
    const sha256 = hashOf(new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength));
    if (added.addTokens === undefined) return { parameters, sha256 };
    const grown = await withTokens(opened, added.addTokens, added);
    return { parameters: addRows(opened.model, grown.model, parameters, grown), sha256 };
  };
  const { parameters, sha256 } = await withTextModel(from, read, mergeWithEngine);
  if (expected === undefined || sha256 === expected) return { parameters, sha256 };
  throw new MeanfieldError(
    `${from} is no longer the model that the run was started from: the sha256 of its parameters is ` +
      `${sha256.slice(0, 12)}, expected ${expected.slice(0, 12)}. Restore it, or start a new run.`,
  );
}

/** Keeps in the run's folder what `model/` has unchanged: the tokenizer's files and `generation_config.json`. */
export async function keepSource(
  folder: string,
  { tokenizerFiles, generationConfig }: Pick<RunSource, 'tokenizerFiles' | 'generationConfig'>,
): Promise<void> {
  await writeFolderAtomic(folder, async (temporary) => {
    for (const [name, text] of Object.entries(tokenizerFiles)) await writeFileSynced(join(temporary, name), text);
    if (generationConfig) await writeFileSynced(join(temporary, GENERATION), jsonText(generationConfig));
  });
}

/** What {@link keepSource} kept; undefined in a run that started from nothing. */
export async function keptSource(
  folder: string,
): Promise<Pick<RunSource, 'generationConfig' | 'tokenizerFiles'> | undefined> {
  if (!(await exists(folder))) return undefined;
  const tokenizerFiles: Record<string, string> = {};
  const names = await readdir(folder);
  for (const name of names.filter((one) => one !== GENERATION)) {
    tokenizerFiles[name] = await readFile(join(folder, name), 'utf8');
  }
  if (!names.includes(GENERATION)) return { tokenizerFiles };
  const generationConfig = await readJsonFile(join(folder, GENERATION), 'Restore it from a copy, or delete it.');
  return { tokenizerFiles, ...(isJsonObject(generationConfig) && { generationConfig }) };
}
