/** The 128-bit state of a {@link Random}, as four unsigned 32-bit words; it can be saved as JSON. */
export type RandomState = [number, number, number, number];

/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna, 2018, https://prng.di.unimi.it/), seeded through
 * splitmix32. The same seed gives the same numbers on every machine. Not for secrets.
 *
 * @example
 * const random = new Random(1337);
 * random.below(6); // an integer from 0 to 5
 */
export class Random {
  #s: RandomState;

  /** @param seed any integer; `keys` derive independent streams from one seed (replica, purpose). */
  constructor(seed: number, ...keys: (number | string)[]) {
    let h = mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) >>> 0);
    for (const key of keys) for (const word of words(key)) h = mix((h ^ word) >>> 0);
    const next = () => {
      h = (h + 0x9e3779b9) >>> 0;
      return mix(h);
    };
    this.#s = [next(), next(), next(), next() | 1];
  }

  /** Continues a generator from a saved {@link state}. */
  static from(state: RandomState): Random {
    const random = new Random(0);
    random.#s = [...state];
    return random;
  }

  /** The state to save; {@link Random.from} continues from it. */
  get state(): RandomState {
    return [...this.#s];
  }

  /** An integer from 0 to 2³²−1. */
  uint32(): number {
    const s = this.#s;
    const result = Math.imul(rotl(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    for (let i = 0; i < 4; i++) s[i] = s[i]! >>> 0;
    return result;
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** An integer from 0 to `n` − 1, for n up to 2⁵³. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** A sample of the standard normal distribution (Box and Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

function* words(key: number | string): Generator<number> {
  if (typeof key === 'number') {
    yield key >>> 0;
  } else {
    for (let i = 0; i < key.length; i++) yield key.charCodeAt(i) + 0x10000 * (i + 1);
  }
}
