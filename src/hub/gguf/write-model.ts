import type { ParameterEntry } from '../../model/layout.js';
import type { LoadedModel } from '../load-model.js';
import { changeOf, fileName } from './architectures.js';
import { halvesToInterleaved, shiftAll, transpose } from './changes.js';
import type { GgufTensor } from './encode.js';
import type { GgufValue } from './header.js';
import { quantize, type WritableType } from './quantize.js';
import { bytesOf, ggmlTypes } from './types.js';
import { type WrittenSettings, writtenSettings } from './write-metadata.js';
import { writtenTokenizer } from './write-tokenizer.js';

/** A model as the parts of a GGUF file. */
export interface WrittenModel {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly WrittenTensor[];
  /** What the user should be told. */
  readonly notices: readonly string[];
}

/** A tensor of a model, or one that tells of its positions. */
export interface WrittenTensor extends GgufTensor {
  /** The parameter that it is; undefined where its values are known without any. */
  readonly parameter?: string;
  /** Its elements as blocks of the type, in pieces. @param values the parameter's, which are not changed */
  blocks(values: Float32Array): Iterable<Uint8Array>;
}

/** What `general.file_type` says of a file by the type of most of its tensors (`llama_ftype`). */
const FILE_TYPES: Readonly<Record<WritableType, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 7, BF16: 32 };
/** `general.quantization_version` of ggml. */
const QUANTIZATION_VERSION = 2;
/** Elements that are turned into blocks at a time: a multiple of every block. */
const PIECE = 2 ** 20;
const NOTHING = new Float32Array(0);

/**
 * A model as llama.cpp reads it: matrices in a type, all else in float32. A matrix whose rows are no whole blocks is F16.
 *
 * @param loaded with its parameters where they are in memory; without, only `blocks` of its tensors give bytes
 * @throws MeanfieldError for a model or a tokenizer that llama.cpp would compute otherwise, with why
 */
export function writtenModel(
  loaded: Pick<LoadedModel, 'model' | 'tokenizer' | 'tokenizerFiles'> & Partial<Pick<LoadedModel, 'parameters'>>,
  type: WritableType,
): WrittenModel {
  const { model, parameters = NOTHING, tokenizer, tokenizerFiles } = loaded;
  const settings = writtenSettings(model);
  const { vocabulary } = model.dimensions;
  const metadata = new Map<string, GgufValue>([
    ...settings.metadata,
    ['general.file_type', { type: 'UINT32', value: FILE_TYPES[type] }],
    ['general.quantization_version', { type: 'UINT32', value: QUANTIZATION_VERSION }],
    ...writtenTokenizer(tokenizerFiles, tokenizer, vocabulary),
  ]);
  const tensors = model.layout.entries.map((entry) =>
    tensorOf(entry, parameters.subarray(entry.offset, entry.offset + entry.size), settings, type),
  );
  const others = settings.settings.map(
    ({ name, values }): WrittenTensor => ({
      ...{ name, shape: [values.length], type: 'F32' },
      blocks: () => [quantize('F32', values)],
      data: () => [quantize('F32', values)],
    }),
  );
  return { metadata, tensors: [...tensors, ...others], notices: settings.notices };
}

function tensorOf(
  { name: own, shape }: ParameterEntry,
  given: Float32Array,
  { architecture, heads }: WrittenSettings,
  asked: WritableType,
): WrittenTensor {
  const name = fileName(architecture, own);
  const change = changeOf(architecture, name);
  const turned = change === 'transposed' ? [...shape].reverse() : shape;
  const type = typeFor(name, turned, asked);
  const changed = (values: Float32Array): Float32Array => {
    if (change === 'none') return values;
    const copy = values.slice();
    if (change === 'interleaved rows')
      halvesToInterleaved(copy, shape, name.includes('.attn_q.') ? heads.query : heads.key);
    else if (change === 'plus 1') shiftAll(copy, 1);
    else transpose(copy, shape[0]!, shape[1]!);
    return copy;
  };
  function* blocks(values: Float32Array): Generator<Uint8Array> {
    const all = changed(values);
    for (let from = 0; from < all.length; from += PIECE) yield quantize(type, all.subarray(from, from + PIECE));
  }
  return { ...{ name, shape: turned, type, parameter: own, blocks }, data: () => blocks(given) };
}

/** llama.cpp wants what is added, what it multiplies by and what positions are in float32. */
function typeFor(name: string, shape: readonly number[], asked: WritableType): WritableType {
  if (shape.length < 2 || name === 'position_embd.weight' || !name.endsWith('.weight')) return 'F32';
  return shape.at(-1)! % ggmlTypes[asked].block === 0 ? asked : 'F16';
}

/** Bytes of all tensors. */
export const tensorBytes = (tensors: readonly Omit<GgufTensor, 'data'>[]): number =>
  tensors.reduce(
    (sum, { shape, type }) =>
      sum +
      bytesOf(
        type,
        shape.reduce((product, size) => product * size, 1),
      ),
    0,
  );
