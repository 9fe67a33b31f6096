import { createUser, fromSeed } from '@nats-io/nkeys';
import { MeanfieldError } from '../../base/errors.js';

/** An nkey: the server knows the public half, the seed proves who one is. */
export interface Nkey {
  readonly key: string;
  readonly seed: string;
}

export function makeNkey(): Nkey {
  const pair = createUser();
  return { key: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) };
}

/** @throws when the seed is none */
export function nkeyOf(seed: string): Nkey {
  return { key: fromSeed(new TextEncoder().encode(seed)).getPublicKey(), seed };
}

/** The public half of a user's nkey, as a server takes it. @throws MeanfieldError when a text is none */
export function userKey(text: string): string {
  if (/^U[A-Z2-7]{55}$/.test(text)) return text;
  throw new MeanfieldError(`Expected the public key of a NATS user, got ${JSON.stringify(text)}.`);
}
