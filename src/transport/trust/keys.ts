import { createUser, fromSeed } from '@nats-io/nkeys';

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

/** Whether a text is the public half of a user's nkey, as a server takes it. */
export function isUserKey(text: string): boolean {
  return /^U[A-Z2-7]{55}$/.test(text);
}
