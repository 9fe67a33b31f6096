import { join } from 'node:path';
import { clone } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { writeFileSynced } from '../base/files/atomic.js';
import { makeFolder } from '../base/files/make-folder.js';
import { type JsonObject, jsonText } from '../base/json.js';
import type { LoadedModel } from '../hub/load-model.js';
import { configText } from '../hub/model-folder.js';
import type { Model } from '../model/model.js';
import type { ExportWriter } from './format.js';
import type { ExportDtype } from './formats.js';
import { decoderGraph } from './onnx/decoder-graph.js';
import { encoderGraph } from './onnx/encoder-graph.js';
import { mergeBranches } from './onnx/merge-branches.js';
import { type OnnxFile, singleWeight, withWeights } from './onnx/onnx-file.js';
import { type OnnxPart, onnxParts } from './onnx/onnx-parts.js';
import { firstGraph, furtherGraph, sourceGraph } from './onnx/seq2seq-graphs.js';
import { preferred, variantOf } from './onnx/variants.js';
import { requireFits, withTemplateTwice } from './write-hugging-face.js';

/** What a message of protobuf, and a buffer of a browser, may have. */
const MOST = 2 ** 31 - 2 ** 20;

/**
 * A model as transformers.js reads it: `onnx/model.onnx` and its variants, or `onnx/encoder_model.onnx` and
 * `onnx/decoder_model_merged.onnx` where one reads what the other writes beside, which take the texts, masks and caches of
 * Python optimum's exports, with the files that tell of it.
 */
export const writeOnnx: ExportWriter = async (source, order) => {
  const loaded = await source.load();
  const { place, options } = order;
  const dtypes = [...new Set([order.dtype, ...((options.also ?? []) as readonly ExportDtype[])])];
  requireNumbers(loaded, dtypes);
  const graphs = graphsOf(loaded);
  const most = Math.min(options.shardSize * 1e9, MOST);
  const files = dtypes.flatMap((dtype) => graphs.map((made) => partsOf(loaded, made, dtype, most)));
  const bytes = files.flat().reduce((sum, part) => sum + part.bytes, 0);
  await makeFolder(join(place, 'onnx'));
  const outside: Record<string, number> = {};
  for (const parts of files) {
    const told = function* (part: OnnxPart) {
      for (const piece of part.content()) {
        order.told(piece.length, bytes);
        yield piece;
      }
    };
    for (const part of parts) await writeFileSynced(join(place, 'onnx', part.name), told(part));
    if (parts.length > 1) outside[parts[0]!.name] = parts.length - 1;
  }
  const { config, generationConfig } = configsOf(loaded, {
    ...(preferred(dtypes) && { dtype: preferred(dtypes)! }),
    ...(Object.keys(outside).length > 0 && { use_external_data_format: outside }),
  });
  const texts = {
    'config.json': configText(config),
    'generation_config.json': jsonText(generationConfig),
    ...tokenizerTexts(loaded),
  };
  const hashes: Record<string, string> = {};
  for (const [name, text] of Object.entries(texts))
    hashes[name] = (await writeFileSynced(join(place, name), text)).sha256;
  return hashes;
};

/** @throws MeanfieldError naming weights that are not finite, or too large for half precision */
function requireNumbers({ model, parameters }: LoadedModel, dtypes: readonly ExportDtype[]): void {
  const views = model.layout.views(parameters);
  const tensors = model.layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]! }));
  requireFits(tensors, dtypes.some((dtype) => variantOf(dtype).half) ? 'fp16' : 'fp32');
}

/** A file of a model: its graph, or two of which a run says which one it is of. */
interface FileGraphs {
  /** Without what tells its numbers, and its ending. */
  readonly name: string;
  readonly graphs: readonly [ModelProto, ModelProto?];
}

/**
 * Vectors where the folder tells how they come of texts; else what follows a text, or what a head says of it. Of a model that
 * reads a source and writes beside it, one file for each.
 */
function graphsOf({ model, sentence }: LoadedModel): FileGraphs[] {
  if (model.architecture.encoder)
    return [
      { name: 'encoder_model', graphs: [sourceGraph(model)] },
      { name: 'decoder_model_merged', graphs: [firstGraph(model), furtherGraph(model)] },
    ];
  const writes = model.architecture.sees === 'past' && !sentence;
  return [{ name: 'model', graphs: [writes ? decoderGraph(model) : encoderGraph(model, sentence)] }];
}

function partsOf({ model, parameters }: LoadedModel, file: FileGraphs, dtype: ExportDtype, most: number): OnnxPart[] {
  const views = model.layout.views(parameters);
  const weights = model.layout.entries.map(({ name, shape }) => [name, singleWeight(shape, views[name]!)] as const);
  const { suffix, passes } = variantOf(dtype);
  const made = (graph: ModelProto): OnnxFile => {
    const one = withWeights(clone(ModelProtoSchema, graph), new Map(weights));
    for (const pass of passes) pass(one);
    return one;
  };
  const [first, further] = file.graphs;
  const whole = further ? mergeBranches(made(first), made(further)) : made(first);
  return onnxParts(`${file.name}${suffix}.onnx`, whole, most);
}

/** `config.json` with the keys that transformers.js needs written out, and what ends a text. */
function configsOf({ model, generationConfig }: LoadedModel, own: JsonObject) {
  const { dtype: _dtype, ...given } = model.config as JsonObject;
  const config: JsonObject = {
    ...given,
    ...cacheKeys(model, given),
    torch_dtype: 'float32',
    ...(Object.keys(own).length > 0 && { 'transformers.js_config': own }),
  };
  const ends = ['bos_token_id', 'eos_token_id', 'pad_token_id', 'decoder_start_token_id'].flatMap((key) =>
    given[key] === undefined || given[key] === null ? [] : [[key, given[key]] as const],
  );
  return { config, generationConfig: generationConfig ?? (Object.fromEntries(ends) as JsonObject) };
}

/** Heads of keys and values, and their width, where files leave them to be inferred. */
function cacheKeys(model: Model, given: JsonObject): JsonObject {
  if (model.architecture.sees !== 'past' || given.hidden_size === undefined) return {};
  const { keyValueHeads, heads, width } = model.dimensions;
  return {
    num_key_value_heads: keyValueHeads,
    head_dim: given.head_dim ?? width / heads,
  };
}

/** Texts are cut where `embed` cuts them. */
function tokenizerTexts({ tokenizerFiles, sentence }: LoadedModel): Readonly<Record<string, string>> {
  const files = withTemplateTwice(tokenizerFiles);
  const name = 'tokenizer_config.json';
  if (sentence?.maxTokens === undefined || files[name] === undefined) return files;
  const config = JSON.parse(files[name]) as JsonObject;
  return { ...files, [name]: jsonText({ ...config, model_max_length: sentence.maxTokens }) };
}
