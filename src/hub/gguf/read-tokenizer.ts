import type { JsonObject } from '../../base/json.js';
import type { Metadata } from './metadata.js';
import { preTokenizers } from './pre-tokenizers.js';

/** What `tokenizer.ggml.token_type` says of a token. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Kinds of tokens by their keys, and by what `tokenizer_config.json` calls them. */
export const SPECIAL_TOKENS = [
  ['bos_token_id', 'bos_token'],
  ['eos_token_id', 'eos_token'],
  ['unknown_token_id', 'unk_token'],
  ['padding_token_id', 'pad_token'],
  ['mask_token_id', 'mask_token'],
] as const;

/**
 * The tokenizer of a GGUF file as `tokenizer.json` and `tokenizer_config.json`.
 *
 * @param rows rows of the embedding: as many tokens there are
 * @throws MeanfieldError for a kind that cannot be expressed so, by its name, or lists that do not belong together
 */
export function readTokenizer(metadata: Metadata, rows: number): Record<string, string> {
  const own = (key: string) => `tokenizer.ggml.${key}`;
  const model = metadata.need(own('model'), 'STRING');
  if (model !== 'gpt2')
    throw metadata.fault(
      `its tokenizer is of the kind ${JSON.stringify(model)}, and gpt2 (byte-level pairs) alone is read: take the model as ` +
        "Hugging Face's safetensors, with tokenizer.json",
    );
  const pre = metadata.get(own('pre'), 'STRING') ?? 'none';
  const kind = preTokenizers.find(({ names }) => names.includes(pre));
  if (kind === undefined)
    throw metadata.fault(
      `its tokenizer splits text as ${JSON.stringify(pre)} says (tokenizer.ggml.pre), and those that are read are ` +
        `${preTokenizers.flatMap(({ names }) => names).join(', ')}: take the model as Hugging Face's safetensors`,
    );
  const tokens = metadata.list(own('tokens'), 'STRING');
  const merges = metadata.list(own('merges'), 'STRING');
  if (tokens === undefined || merges === undefined) throw metadata.fault('it has no tokenizer.ggml.tokens or .merges');
  const types = metadata.list(own('token_type'), 'INT32') ?? tokens.map(() => TOKEN_TYPES.normal);
  if (tokens.length !== rows || types.length !== rows)
    throw metadata.fault(`it has ${tokens.length} tokens with ${types.length} types, and an embedding of ${rows}`);
  const vocabulary = vocabularyOf(tokens, types, metadata);
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPES.control || types[id] === TOKEN_TYPES.unknown;
    if (!special && types[id] !== TOKEN_TYPES.userDefined) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
  const names: Record<string, string> = {};
  for (const [key, name] of SPECIAL_TOKENS) {
    const id = metadata.get(own(key), 'UINT32');
    // Files say 4294967295, and ids beyond the vocabulary, for none.
    if (id !== undefined && tokens[id] !== undefined) names[name] = tokens[id];
  }
  const before = (metadata.get(own('add_bos_token'), 'BOOL') ?? kind.begins) ? names.bos_token : undefined;
  const after = metadata.get(own('add_eos_token'), 'BOOL') ? names.eos_token : undefined;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: kind.normalizer,
    pre_tokenizer: kind.steps.length === 1 ? kind.steps[0] : { type: 'Sequence', pretokenizers: kind.steps },
    post_processor: before === undefined && after === undefined ? null : around(tokens, before, after),
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: kind.whole,
      vocab: vocabulary,
      merges: merges.map((merge) => pairOf(merge, metadata)),
    },
  };
  const template = metadata.get('tokenizer.chat_template', 'STRING');
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...names,
    ...(template !== undefined && { chat_template: template }),
  };
  return { 'tokenizer.json': JSON.stringify(json), 'tokenizer_config.json': JSON.stringify(config, null, 1) };
}

/** Ids by token, but for those that fill the embedding's rows up. */
function vocabularyOf(
  tokens: readonly string[],
  types: readonly number[],
  metadata: Metadata,
): Readonly<Record<string, number>> {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (ids.has(token))
      throw metadata.fault(`its tokens ${ids.get(token)} and ${id} are both ${JSON.stringify(token)}`);
    if (types[id] !== TOKEN_TYPES.unused) ids.set(token, id);
  }
  // Not an object literal's keys: one may be __proto__.
  return Object.fromEntries(ids);
}

/** The two tokens of a merge: neither is empty, and neither holds the blank between them. */
function pairOf(merge: string, metadata: Metadata): [string, string] {
  const [left, right, ...more] = merge.split(' ');
  if (!left || !right || more.length > 0) throw metadata.fault(`${JSON.stringify(merge)} is no merge of two tokens`);
  return [left, right];
}

/** A post-processor that sets special tokens around a text. */
function around(tokens: readonly string[], before: string | undefined, after: string | undefined): JsonObject {
  const special = (name: string | undefined, type: number) =>
    name === undefined ? [] : [{ SpecialToken: { id: name, type_id: type } }];
  const text = (id: string, type: number) => [
    ...special(before, type),
    { Sequence: { id, type_id: type } },
    ...special(after, type),
  ];
  const used = [...new Set([before, after])].filter((name) => name !== undefined);
  return {
    type: 'TemplateProcessing',
    single: text('A', 0),
    pair: [...text('A', 0), ...text('B', 1)],
    special_tokens: Object.fromEntries(
      used.map((name) => [name, { id: name, ids: [tokens.indexOf(name)], tokens: [name] }]),
    ),
  };
}
