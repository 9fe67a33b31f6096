import { z } from 'zod';
import { BpeTokenizer } from './bpe.js';
import { tokenToBytes } from './byte-level.js';
import { BytesTokenizer } from './bytes.js';
import { CharsTokenizer } from './chars.js';
import { MASK_TOKEN } from './mask-token.js';
import type { Tokenizer } from './tokenizer.js';

const LARGEST_ID = 2 ** 24;
const id = z.int().nonnegative().max(LARGEST_ID);
const isId = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LARGEST_ID;
/** A plain test, as there are many; and not `z.record`, which loses the key `__proto__`, and a tokenizer of code may well have that token. */
const vocabulary = z.custom<Record<string, number>>(
  (value) => typeof value === 'object' && value !== null && Object.values(value).every(isId),
);
const nothing = z.null().optional();
const off = z.literal(false).nullish();

const addedToken = z.object({
  id,
  content: z.string().min(1),
  single_word: off,
  lstrip: off,
  rstrip: off,
  special: z.literal(true),
});

const charsSchema = z.object({
  added_tokens: z
    .array(addedToken.extend({ content: z.literal(MASK_TOKEN) }))
    .max(1)
    .default([]),
  normalizer: nothing,
  post_processor: nothing,
  pre_tokenizer: z.object({
    type: z.literal('Split'),
    pattern: z.object({ Regex: z.literal('[\\s\\S]') }),
    behavior: z.literal('Isolated'),
  }),
  decoder: z.object({ type: z.literal('Fuse') }),
  model: z.object({ type: z.literal('WordLevel'), vocab: vocabulary }),
});

const bpeSchema = z.object({
  added_tokens: z.array(addedToken).default([]),
  normalizer: nothing,
  // ByteLevel after the model changes offsets only.
  post_processor: z.object({ type: z.literal('ByteLevel') }).nullish(),
  pre_tokenizer: z.object({
    type: z.literal('ByteLevel'),
    add_prefix_space: z.literal(false),
    use_regex: z.boolean().default(true),
  }),
  decoder: z.object({ type: z.literal('ByteLevel') }),
  model: z.object({
    type: z.literal('BPE'),
    dropout: nothing,
    continuing_subword_prefix: z.literal('').nullish(),
    end_of_word_suffix: z.literal('').nullish(),
    byte_fallback: off,
    ignore_merges: off,
    vocab: vocabulary,
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

/** Our own tokenizer from the JSON of a `tokenizer.json`, or undefined when it describes another kind. */
export function nativeTokenizer(json: unknown): Tokenizer | undefined {
  const chars = charsSchema.safeParse(json);
  if (chars.success) return charsTokenizer(chars.data);
  const bpe = bpeSchema.safeParse(json);
  if (bpe.success) return bpeTokenizer(bpe.data);
  return undefined;
}

function charsTokenizer({ added_tokens: [mask], model }: z.infer<typeof charsSchema>): Tokenizer | undefined {
  const all = new Map(Object.entries(model.vocab));
  if (mask !== undefined && (mask.id !== all.size - 1 || all.get(MASK_TOKEN) !== mask.id)) return undefined;
  if (mask !== undefined) all.delete(MASK_TOKEN);
  const points = byId(all)?.map((name) => {
    const point = name.codePointAt(0) ?? -1;
    const surrogate = point >= 0xd800 && point <= 0xdfff;
    return point >= 0 && !surrogate && String.fromCodePoint(point) === name ? point : -1;
  });
  if (points === undefined || points.length === 0 || points.includes(-1)) return undefined;
  return new CharsTokenizer(points, { mask: mask !== undefined });
}

function bpeTokenizer({ added_tokens, pre_tokenizer, model }: z.infer<typeof bpeSchema>): Tokenizer | undefined {
  const special = new Map(added_tokens.map(({ id, content }) => [id, content]));
  const all = new Map(Object.entries(model.vocab));
  for (const [id, content] of special) {
    if ((all.get(content) ?? id) !== id) return undefined;
    all.set(content, id);
  }
  const names = byId(all);
  const tokens = names?.map((name, id) => (special.has(id) ? new Uint8Array(0) : tokenToBytes(name)));
  if (names === undefined || !tokens?.every((bytes) => bytes !== undefined)) return undefined;
  if (!pre_tokenizer.use_regex) {
    const mask = special.get(256) === MASK_TOKEN;
    const plain = tokens.slice(0, 256).every((bytes, id) => bytes.length === 1 && bytes[0] === id);
    const whole = tokens.length === (mask ? 257 : 256) && plain && model.merges.length === 0;
    return whole ? new BytesTokenizer({ mask }) : undefined;
  }
  if (new Set(tokens.filter((bytes) => bytes.length === 1).map((bytes) => bytes[0])).size !== 256) return undefined;
  const merges: [number, number][] = [];
  for (const merge of model.merges) {
    const [left, right, ...more] = typeof merge === 'string' ? merge.split(' ') : merge;
    const pair = [all.get(left ?? ''), all.get(right ?? '')] as const;
    if (pair[0] === undefined || pair[1] === undefined || more.length > 0) return undefined;
    if (special.has(pair[0]) || special.has(pair[1]) || !all.has(`${left}${right}`)) return undefined;
    merges.push([pair[0], pair[1]]);
  }
  if (new Set(merges.map(String)).size !== merges.length) return undefined;
  return new BpeTokenizer({ tokens, merges, special });
}

/** The names in order of their ids, or undefined when the ids are not 0, 1, 2, ... each once. */
function byId(vocab: Map<string, number>): string[] | undefined {
  const names: string[] = new Array(vocab.size);
  for (const [name, id] of vocab) {
    if (id >= vocab.size || names[id] !== undefined) return undefined;
    names[id] = name;
  }
  return names;
}
