import type { JsonObject } from '../../base/json.js';
import type { TokenizerFiles } from '../../data/tokenizers/tokenizer.js';
import { addedToken, bpeModel, tokenizerJson } from '../../data/tokenizers/tokenizer-json.js';
import type { Metadata } from './metadata.js';
import { preTokenizers } from './pre-tokenizers.js';
import { BYTE_TOKEN, blanksAsTokens, LONGEST_TOKEN, mergesByScore, scoredModel } from './scored-tokens.js';

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
export function readTokenizer(metadata: Metadata, rows: number): TokenizerFiles & Record<string, string> {
  const model = metadata.need(own('model'), 'STRING');
  const kind = Object.hasOwn(kinds, model) ? kinds[model] : undefined;
  if (kind === undefined)
    throw metadata.fault(
      `its tokenizer is of the kind ${JSON.stringify(model)}, and gpt2 (byte-level pairs) and llama (SentencePiece's pairs) ` +
        "alone are read: take the model as Hugging Face's safetensors, with tokenizer.json",
    );
  const tokens = metadata.list(own('tokens'), 'STRING');
  if (tokens === undefined) throw metadata.fault('it has no tokenizer.ggml.tokens');
  const types = metadata.list(own('token_type'), 'INT32') ?? tokens.map(() => TOKEN_TYPES.normal);
  if (tokens.length !== rows || types.length !== rows)
    throw metadata.fault(`it has ${tokens.length} tokens with ${types.length} types, and an embedding of ${rows}`);
  const vocabulary = vocabularyOf(tokens, types, metadata);
  const { begins, special: usual = {}, ...parts } = kind(metadata, { tokens, types, vocabulary });
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === TOKEN_TYPES.control || types[id] === TOKEN_TYPES.unknown;
    return special || types[id] === TOKEN_TYPES.userDefined ? [addedToken(id, content, special)] : [];
  });
  const names: Record<string, string> = {};
  for (const [key, name] of SPECIAL_TOKENS) {
    const id = metadata.get(own(key), 'UINT32') ?? usual[key];
    // Files say 4294967295, and ids beyond the vocabulary, for none.
    if (id !== undefined && tokens[id] !== undefined) names[name] = tokens[id];
  }
  const before = (metadata.get(own('add_bos_token'), 'BOOL') ?? begins) ? names.bos_token : undefined;
  const after = metadata.get(own('add_eos_token'), 'BOOL') ? names.eos_token : undefined;
  const json = tokenizerJson({
    added_tokens: added,
    post_processor: before === undefined && after === undefined ? null : around(tokens, before, after),
    ...parts,
  });
  const template = metadata.get('tokenizer.chat_template', 'STRING');
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...names,
    ...(template !== undefined && { chat_template: template }),
  };
  return { 'tokenizer.json': JSON.stringify(json), 'tokenizer_config.json': JSON.stringify(config, null, 1) };
}

const own = (key: string) => `tokenizer.ggml.${key}`;

/** The tokens of a file. */
interface Listed {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  /** Ids by token. */
  readonly vocabulary: Readonly<Record<string, number>>;
}

/** What a kind of tokenizers makes of them: parts of `tokenizer.json`, and what counts where the file does not say. */
interface Parts extends JsonObject {
  readonly model: JsonObject;
}
type Kind = (
  metadata: Metadata,
  listed: Listed,
) => Parts & { readonly begins: boolean; readonly special?: Readonly<Record<string, number>> };

/** By `tokenizer.ggml.model`. */
const kinds: Readonly<Record<string, Kind>> = { gpt2: byteLevelPairs, llama: scoredPairs };

function byteLevelPairs(metadata: Metadata, { vocabulary }: Listed): ReturnType<Kind> {
  const pre = metadata.get(own('pre'), 'STRING') ?? 'none';
  const kind = preTokenizers.find(({ names }) => names.includes(pre));
  if (kind === undefined)
    throw metadata.fault(
      `its tokenizer splits text as ${JSON.stringify(pre)} says (tokenizer.ggml.pre), and those that are read are ` +
        `${preTokenizers.flatMap(({ names }) => names).join(', ')}: take the model as Hugging Face's safetensors`,
    );
  const merges = metadata.list(own('merges'), 'STRING');
  if (merges === undefined) throw metadata.fault('it has no tokenizer.ggml.merges');
  const pairs = merges.map((merge) => pairOf(merge, metadata));
  return {
    begins: kind.begins,
    normalizer: kind.normalizer,
    pre_tokenizer: kind.steps.length === 1 ? kind.steps[0]! : { type: 'Sequence', pretokenizers: kind.steps },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: bpeModel(vocabulary, pairs, { ignore_merges: kind.whole }),
  };
}

/** SentencePiece's, whose pairs follow from the tokens' scores. */
function scoredPairs(metadata: Metadata, { tokens, types, vocabulary }: Listed): ReturnType<Kind> {
  const scores = metadata.list(own('scores'), 'FLOAT32');
  if (scores?.length !== tokens.length)
    throw metadata.fault(`it has ${tokens.length} tokens with ${scores?.length ?? 'no'} tokenizer.ggml.scores`);
  const made = tokens.flatMap((token, id): [string, number][] => {
    if (types[id] !== TOKEN_TYPES.normal && types[id] !== TOKEN_TYPES.userDefined) return [];
    if (Number.isNaN(scores[id])) throw metadata.fault(`the score of its token ${id} is no number`);
    // A code point has one or two units.
    if (token.length > 2 * LONGEST_TOKEN || Array.from(token).length > LONGEST_TOKEN)
      throw metadata.fault(`its token ${id} has more than ${LONGEST_TOKEN} characters`);
    return [[token, scores[id]!]];
  });
  const bytes = new Set(tokens.filter((token, id) => types[id] === TOKEN_TYPES.byte && BYTE_TOKEN.test(token)));
  if (bytes.size !== 256)
    throw metadata.fault(`it has tokens for ${bytes.size} bytes (<0x00> to <0xFF>), and all 256 are needed`);
  const ids = new Map(Object.entries(vocabulary));
  const unknown = tokens[metadata.get(own('unknown_token_id'), 'UINT32') ?? 0];
  return {
    begins: true,
    // What llama.cpp takes where a file of this kind does not say.
    special: { bos_token_id: 1, eos_token_id: 2, unknown_token_id: 0 },
    ...blanksAsTokens(metadata.get(own('add_space_prefix'), 'BOOL') ?? true),
    model: scoredModel(vocabulary, mergesByScore(ids, made), unknown),
  };
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
