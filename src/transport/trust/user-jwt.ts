import { decode, encodeUser, type User } from '@nats-io/jwt';
import { fromPublic, fromSeed } from '@nats-io/nkeys';
import { UsageError } from '../../base/errors.js';
import { readSubjects, subjectsOf } from '../nats/subjects.js';
import { inboxOf, limitsOf } from './server-config.js';

/** The key by which an account's owner signs its users. */
export interface Signer {
  readonly seed: string;
  /** The account, where the key is not the account's own but one of its signing keys. */
  readonly account?: string;
}

/**
 * Finds a signing key in a text: the seed (`SA...`) and, for a signing key that is not the account's own, the account's
 * public key (`A...`).
 *
 * @throws UsageError when there is no seed
 */
export function parseSigner(text: string): Signer {
  const seed = /\bSA[A-Z2-7]{56}\b/.exec(text)?.[0];
  if (seed === undefined) {
    throw new UsageError(
      'Expected the seed of an account or of its signing key, SA and 56 letters, and for a signing key also the ' +
        "account's public key, A and 55 letters, in one file.",
    );
  }
  const account = /\bA[A-Z2-7]{55}\b/.exec(text.replace(seed, ''))?.[0];
  return { seed, ...(account && { account }) };
}

/** What the holder of a JWT may do; `all` is for the coordinator. */
export type Rights =
  | 'all'
  /** To ask to be let in by the invitation of this id. */
  | { readonly invited: string }
  | { readonly workers: readonly string[] };

/**
 * Signs what the holder of a key may do in a run.
 *
 * @param expires seconds since 1970
 */
export function signUser(signer: Signer, run: string, key: string, rights: Rights, expires: number): Promise<string> {
  const inbox = `${inboxOf(key)}.>`;
  const permissions = rights === 'all' ? {} : limited(run, rights, inbox);
  const workers = rights !== 'all' && 'workers' in rights ? rights.workers : [];
  return encodeUser(
    [nameOf(run), ...workers].join(' '),
    fromPublic(key),
    fromSeed(new TextEncoder().encode(signer.seed)),
    {
      ...permissions,
      ...(rights !== 'all' && limits(workers.length)),
      ...(signer.account && { issuer_account: signer.account }),
    },
    { exp: expires },
  );
}

/** As on a server of ours; how many connections a key has, a user's JWT cannot limit. */
function limits(workers: number): Partial<User> {
  const { subscriptions, payload } = limitsOf(workers);
  return { subs: subscriptions, payload, allowed_connection_types: ['STANDARD'] };
}

/** Whether the time of a JWT is over. */
export function hasLapsed(jwt: string, now = Date.now()): boolean {
  const { exp } = decode<User>(jwt);
  return exp !== undefined && exp * 1000 <= now;
}

/**
 * Whose JWT this is, expired or not.
 *
 * @throws Error when another has signed it, or it is for another run, or for no worker
 */
export function readWorkerJwt(
  signer: Signer,
  run: string,
  jwt: string,
): { readonly key: string; readonly workers: readonly string[] } {
  const claims = decode<User>(jwt);
  const issuer = fromSeed(new TextEncoder().encode(signer.seed)).getPublicKey();
  const [name, ...workers] = claims.name.split(' ');
  if (claims.iss !== issuer || name !== nameOf(run) || workers.length === 0) throw new Error('not of this run');
  return { key: claims.sub, workers };
}

function nameOf(run: string): string {
  return `meanfield-${run}`;
}

function limited(run: string, rights: Exclude<Rights, 'all'>, inbox: string) {
  const subjects = subjectsOf(run);
  const { runStream, stateStream, blobs, states } = subjects;
  if ('invited' in rights) return { pub: { allow: [`mf.${run}.ask.join.${rights.invited}`] }, sub: { allow: [inbox] } };
  const { workers } = rights;
  return {
    pub: {
      allow: [
        `mf.${run}.ask.renew`,
        ...workers.flatMap((name) => [`mf.${run}.up.${name}`, `${blobs}.${name}.>`]),
        ...readSubjects(subjects),
        ...[runStream, stateStream].map((stream) => `$JS.API.STREAM.MSG.GET.${stream}`),
      ],
    },
    sub: { allow: [inbox, `mf.${run}.all`, `${states}.>`, ...workers.map((name) => `mf.${run}.down.${name}`)] },
  };
}
