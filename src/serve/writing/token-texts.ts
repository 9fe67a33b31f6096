import type { ScoredToken, ServedModel } from '../../inference/completions/completion.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A token's bytes as a text; those that are none by themselves as others write them: `bytes:\xe2\x80`. */
export function tokenText(bytes: Uint8Array, prefix: string): string {
  try {
    return strict.decode(bytes);
  } catch {
    return prefix + [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  }
}

/** The bytes of all tokens that are told, by their numbers. */
export async function bytesOf(
  model: ServedModel,
  tokens: readonly ScoredToken[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const ids = [...new Set(tokens.flatMap(({ id, top }) => [id, ...top.map((each) => each.id)]))];
  if (ids.length === 0) return new Map();
  const bytes = await model.tokenBytes(ids);
  return new Map(ids.map((id, i) => [id, bytes[i]!]));
}

/** A token as chat answers tell it. */
export interface ChatLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** Scores as chat answers tell them. */
export async function chatLogprobs(
  model: ServedModel,
  tokens: readonly ScoredToken[],
): Promise<readonly (ChatLogprob & { readonly top_logprobs: readonly ChatLogprob[] })[]> {
  const bytes = await bytesOf(model, tokens);
  const told = ({ id, logprob }: { id: number; logprob: number | null }): ChatLogprob => ({
    token: tokenText(bytes.get(id)!, ''),
    // JSON knows no infinity: what cannot be is told as others tell it.
    logprob: Math.max(logprob ?? -9999, -9999),
    bytes: [...bytes.get(id)!],
  });
  return tokens.map((token) => ({ ...told(token), top_logprobs: token.top.map(told) }));
}

/** Scores as completions tell them: lists beside each other. */
export interface TextLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** Tells scores of completions, the pieces of a text one after another. */
export class TextLogprobTeller {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #offset = 0;

  constructor(private readonly model: ServedModel) {}

  async tell(tokens: readonly ScoredToken[]): Promise<TextLogprobs> {
    const bytes = await bytesOf(this.model, tokens);
    const text = (id: number) => tokenText(bytes.get(id)!, 'bytes:');
    const told: TextLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { id, logprob, top } of tokens) {
      told.tokens.push(text(id));
      told.token_logprobs.push(logprob === null ? null : Math.max(logprob, -9999));
      told.top_logprobs.push(
        logprob === null ? null : Object.fromEntries(top.map((each) => [text(each.id), Math.max(each.logprob, -9999)])),
      );
      told.text_offset.push(this.#offset);
      this.#offset += this.#decoder.decode(bytes.get(id)!, { stream: true }).length;
    }
    return told;
  }
}
