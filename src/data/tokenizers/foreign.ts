import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { joinBytes } from '../../base/bytes.js';
import { MeanfieldError } from '../../base/errors.js';
import { TimeLimitError, withinTime } from '../../base/threads/time-limit.js';
import { tokenToBytes } from './byte-level.js';
import { findSentinels, type SentinelTokens } from './sentinel-tokens.js';
import {
  type AroundPair,
  byteStreamDecoder,
  bytesToText,
  type StreamDecoder,
  type Tokenizer,
  type TokenizerFiles,
  unknownId,
} from './tokenizer.js';
import { toBytes } from './utf8.js';

/** How many of the last tokens a stream decoder keeps: enough for any character and for what a decoder looks back at. */
const KEPT = 8;
/** Milliseconds for any text, and for each of its characters: a slow machine needs a hundredth of it. */
const PATIENCE = 10_000;
const PATIENCE_EACH = 0.1;

/**
 * A tokenizer of a kind that Meanfield does not make, run by `@huggingface/tokenizers`. Its files may hold a regular
 * expression that takes years for a short text, so all work has a time limit.
 */
export class ForeignTokenizer implements Tokenizer {
  readonly kind = 'foreign';
  readonly vocabularySize: number;
  readonly endOfText: number | undefined;
  readonly mask: number | undefined;
  readonly sentinels: SentinelTokens | undefined;
  readonly around: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly aroundPair: AroundPair | undefined;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #files: TokenizerFiles;
  /** Whether its tokens are spelled in the alphabet of bytes. */
  readonly #byteLevel: boolean;
  /** Whether a text is the bytes of its tokens one after another. */
  readonly #plainBytes: boolean;
  /** Whether decoding runs an expression from outside, which may take any time. */
  readonly #decodesByPattern: boolean;
  readonly #added: ReadonlySet<number>;

  /** @throws Error (of `@huggingface/tokenizers`) when the files cannot be understood */
  constructor(json: Record<string, unknown>, config: Record<string, unknown>, files: TokenizerFiles) {
    this.#tokenizer = new HuggingFaceTokenizer(json, config);
    this.#files = files;
    this.#byteLevel = JSON.stringify([json.pre_tokenizer, json.decoder]).includes('"ByteLevel"');
    const { type } = (json.decoder ?? {}) as { readonly type?: unknown };
    this.#plainBytes = type === 'ByteLevel' && config.clean_up_tokenization_spaces === false;
    this.#decodesByPattern = JSON.stringify(json.decoder ?? null).includes('"Regex"');
    this.#added = new Set(this.#tokenizer.get_added_tokens_decoder().keys());
    let largest = -1;
    for (const id of this.#tokenizer.get_vocab().values()) largest = Math.max(largest, id);
    if (largest < 0) throw new Error('its vocabulary is empty');
    this.vocabularySize = largest + 1;
    const special = (key: string): number | undefined => {
      const token = config[key] as string | { content?: string } | null | undefined;
      const name = typeof token === 'object' ? token?.content : token;
      return name === undefined ? undefined : this.#tokenizer.token_to_id(name);
    };
    this.endOfText = special('eos_token');
    this.mask = special('mask_token');
    this.sentinels = findSentinels((name) => this.#tokenizer.token_to_id(name));
    this.around = specialsAround(this.#tokenizer);
    this.aroundPair = specialsAroundPair(this.#tokenizer);
  }

  encode(text: string | Uint8Array): Uint32Array {
    const string = typeof text === 'string' ? text : bytesToText(text);
    const encoding = limited(string.length, () => this.#tokenizer.encode(string, { add_special_tokens: false }));
    return Uint32Array.from(encoding.ids);
  }

  decodeBytes(ids: ArrayLike<number>): Uint8Array {
    if (!this.#plainBytes) return toBytes(this.decode(ids));
    return joinBytes(Array.from(ids, (id) => this.tokenBytes(id)));
  }

  /** A special token as it is written, another by the byte alphabet, as a byte, or with ▁ for a blank. */
  tokenBytes(id: number): Uint8Array {
    const name = this.#tokenizer.id_to_token(id);
    if (name === undefined) throw unknownId(id, this.vocabularySize);
    if (this.#added.has(id)) return toBytes(name);
    if (this.#byteLevel) return tokenToBytes(name) ?? toBytes(name);
    const [, byte] = /^<0x([0-9A-F]{2})>$/.exec(name) ?? [];
    return byte === undefined ? toBytes(name.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte, 16));
  }

  decode(ids: ArrayLike<number>): string {
    if (this.#plainBytes) return bytesToText(this.decodeBytes(ids));
    const list = Array.from(ids);
    for (const id of list) if (this.#tokenizer.id_to_token(id) === undefined) throw unknownId(id, this.vocabularySize);
    if (list.length === 0) return '';
    const decode = () => this.#tokenizer.decode(list, { skip_special_tokens: false });
    return this.#decodesByPattern ? limited(list.length, decode) : decode();
  }

  /** Decodes a moving window of the last tokens, since what a token looks like may depend on those before it. */
  streamDecoder(): StreamDecoder {
    if (this.#plainBytes) return byteStreamDecoder((ids) => this.decodeBytes(ids));
    let kept: number[] = [];
    let shown = 0;
    const show = (text: string) => {
      const fresh = text.slice(shown);
      shown = text.length;
      return fresh;
    };
    return {
      push: (ids) => {
        kept.push(...Array.from(ids));
        const text = this.decode(kept);
        if (text.endsWith('\ufffd')) return '';
        const fresh = show(text);
        if (kept.length > KEPT) {
          kept = kept.slice(-KEPT / 2);
          shown = this.decode(kept).length;
        }
        return fresh;
      },
      end: () => show(this.decode(kept)),
    };
  }

  lastCut(): number {
    return 0;
  }

  files(): TokenizerFiles {
    return this.#files;
  }
}

/** What a tokenizer sets around a text, by a text of its own tokens. */
function specialsAround(tokenizer: HuggingFaceTokenizer): ForeignTokenizer['around'] {
  for (const text of ['a', '0', 'the']) {
    const [own, all] = [false, true].map((add) =>
      limited(1, () => tokenizer.encode(text, { add_special_tokens: add }).ids),
    );
    const [first] = own!;
    const at = first === undefined ? -1 : all!.indexOf(first);
    if (at >= 0) return { before: all!.slice(0, at), after: all!.slice(at + own!.length) };
  }
  return { before: [], after: [] };
}

/** What a tokenizer sets around two texts, by texts of one token each. */
function specialsAroundPair(tokenizer: HuggingFaceTokenizer): AroundPair | undefined {
  for (const text of ['a', '0', 'the']) {
    const [id, ...others] = limited(1, () => tokenizer.encode(text, { add_special_tokens: false }).ids);
    if (id === undefined || others.length > 0) continue;
    const pair = limited(1, () => tokenizer.encode(text, { text_pair: text, return_token_type_ids: true }));
    const { ids, token_type_ids: types } = pair;
    const [first, second] = [ids.indexOf(id), ids.lastIndexOf(id)];
    // Two texts with nothing between them are one.
    if (first < 0 || second <= first + 1) return undefined;
    return {
      before: ids.slice(0, first),
      between: ids.slice(first + 1, second),
      after: ids.slice(second + 1),
      second: types[second] ?? 0,
    };
  }
  return undefined;
}

/** @throws MeanfieldError when it takes far longer than a text of this length can need */
function limited<T>(length: number, work: () => T): T {
  const allowed = Math.ceil(PATIENCE + length * PATIENCE_EACH);
  try {
    return withinTime(allowed, work);
  } catch (error) {
    if (!(error instanceof TimeLimitError)) throw error;
    throw new MeanfieldError(
      `The tokenizer has not come to an end with a text of ${length} characters or tokens within ` +
        `${Math.round(allowed / 1000)} s: a regular expression in its tokenizer.json takes too long. Use the ` +
        "model's original tokenizer.",
      { cause: error },
    );
  }
}
