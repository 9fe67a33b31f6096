import type { Random } from '../../base/random.js';

/** How the tokens of a window are masked. */
export interface Masking {
  /** How likely each token is chosen: above 0, at most 1; 0.15 in BERT. */
  readonly rate: number;
  /** The token that stands for what is to be told. */
  readonly maskId: number;
  /** How many tokens there are, the mask among them: 2 or more. */
  readonly vocabulary: number;
  /** How many tokens of a window are chosen at most: {@link mostChosen}. */
  readonly most: number;
}

/** A window with tokens to be told. */
export interface MaskedWindow {
  /** What the model reads, [T]. */
  readonly ids: Int32Array;
  /** The places of the tokens to be told, ascending: from 1 to `most` of them. */
  readonly positions: Int32Array;
  /** What stood there. */
  readonly targets: Int32Array;
}

/** Of those chosen: shares that the mask takes the place of, and another token; the rest stays. */
const MASKED = 0.8;
const REPLACED = 0.1;

/** How many tokens of a window of `length` are chosen at most, twice the mean: it bounds what a batch has room for. */
export function mostChosen(rate: number, length: number): number {
  return Math.min(length, Math.ceil(2 * rate * length));
}

/**
 * Chooses tokens of a window that a model has to tell (BERT, arXiv 1810.04805, section 3.1): each with probability
 * `rate`, at least one and at most `most`. Of those 80 % become the mask, 10 % another token by chance, any but the mask,
 * and 10 % stay as they are.
 *
 * @param ids [T], T of 1 or more; left as they are
 * @param random the same state gives the same window
 */
export function maskWindow(ids: Int32Array, random: Random, { rate, maskId, vocabulary, most }: Masking): MaskedWindow {
  const chosen: number[] = [];
  for (let t = 0; t < ids.length; t++) if (random.uniform() < rate) chosen.push(t);
  if (chosen.length === 0) chosen.push(random.below(ids.length));
  // Any of them may be let go, so that no place in the window is chosen more often than another.
  while (chosen.length > most) chosen.splice(random.below(chosen.length), 1);

  const masked = ids.slice();
  for (const t of chosen) {
    const fate = random.uniform();
    if (fate < MASKED) masked[t] = maskId;
    else if (fate < MASKED + REPLACED) masked[t] = ordinaryToken(random, maskId, vocabulary);
  }
  return { ids: masked, positions: Int32Array.from(chosen), targets: Int32Array.from(chosen, (t) => ids[t]!) };
}

/** Any token but the mask, each as likely. */
function ordinaryToken(random: Random, maskId: number, vocabulary: number): number {
  const id = random.below(vocabulary - 1);
  return id < maskId ? id : id + 1;
}
