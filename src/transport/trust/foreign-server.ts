import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { connectNats } from '../nats/connect.js';
import { INBOXES } from '../nats/control.js';
import { deleteStreams } from '../nats/quotas.js';
import { subjectsOf } from '../nats/subjects.js';
import type { Gate } from '../transport.js';
import { type RunConnection, writeConnection } from './connection-file.js';
import { encodeInvitation, type Invitation } from './invitation.js';
import { InvitationFile } from './invitation-file.js';
import { answerInvite, goodFor, type InvitationBook, type KeptInvitation, makeInvitation } from './invitations.js';
import { makeNkey, nkeyOf, userKey } from './keys.js';
import { loadRunKey } from './run-key.js';
import type { RunServer } from './run-server.js';
import { inboxOf } from './server-config.js';
import { readWorkerJwt, type Signer, signUser } from './user-jwt.js';

export interface ForeignServerOptions {
  readonly run: string;
  readonly runFolder: string;
  /** Tried in this order. */
  readonly servers: readonly string[];
  /** Ours; with a signer one is made when none is given. */
  readonly credential: Invitation['credential'];
  readonly signer?: Signer;
  /** That every worker may have our own credential. */
  readonly shared: boolean;
  /** Hours for which the invitation is good. */
  readonly validHours: number;
  /** Whether a person must approve who comes by it; as with the last one unless given. */
  readonly approve?: boolean;
}

/** Seconds for which a worker's JWT is good. It asks for another in time; one that was evicted gets none. */
export const WORKER_VALIDITY = 3600;
const LEADER_VALIDITY = 10 * 365 * 24 * 3600;
const PING = 5000;
/** What a worker asks the gate for. */
export const RENEW = 'renew';

/**
 * A server that someone else runs.
 *
 * @throws UsageError when workers could get in neither by JWTs nor by a shared credential
 */
export async function useForeignServer(options: ForeignServerOptions): Promise<RunServer> {
  const { run, servers, signer, shared, validHours, runFolder } = options;
  if (!signer) requireCredentials({ signed: false, shared });
  const runKey = await loadRunKey(runFolder);
  const file = await InvitationFile.open(runFolder);
  const approve = options.approve ?? file.all().findLast(({ once }) => !once)?.approve ?? false;
  const first = makeInvitation({ hours: validHours, once: false, approve });
  await file.keep([...file.all(), first]);
  const encode = ({ id, expires }: KeptInvitation, rest: Pick<Invitation, 'credential' | 'access'>) =>
    encodeInvitation({ id, run, coordinator: runKey.public, servers: [...servers], expires, ...rest });
  if (signer) {
    const own = makeNkey();
    const word = async (one: KeptInvitation) => {
      const rights = { invited: one.id };
      const jwt = await signUser(signer, run, nkeyOf(one.seed).key, rights, Math.floor(one.expires / 1000));
      return encode(one, { credential: { kind: 'jwt', seed: one.seed, jwt }, access: 'signed' });
    };
    const gate = new SigningGate(signer, run, file);
    const leader =
      options.credential.kind === 'none'
        ? {
            inbox: inboxOf(own.key),
            credential: {
              kind: 'jwt' as const,
              seed: own.seed,
              jwt: await signUser(signer, run, own.key, 'all', seconds(LEADER_VALIDITY)),
            },
          }
        : { inbox: INBOX, credential: options.credential };
    return serverOf(options, leader, {
      gate,
      key: runKey,
      invitation: await word(first),
      notice:
        'Workers get JWTs that hold them to their own subjects. An evicted worker is ignored at once; the server lets ' +
        `it in until its JWT ends, within ${WORKER_VALIDITY / 60} minutes. Only a server that Meanfield runs keeps a ` +
        'hostile worker from overwriting the state.',
      serve: async ({ control, state }, desk) => {
        const stops = [
          await file.share(state, runKey),
          control.answer(RENEW, (message) => gate.renew(message)),
          answerInvite(desk, bookOf(file, word)),
        ];
        return () => {
          for (const stop of stops) stop();
        };
      },
    });
  }
  const word = async (one: KeptInvitation) => encode(one, { credential: options.credential, access: 'shared' });
  const leader = { inbox: INBOX, credential: options.credential };
  return serverOf(options, leader, {
    gate: new SharedGate(file),
    key: runKey,
    invitation: await word(first),
    notice:
      'Every worker has your own credential: each can read, write and delete all that you can ' +
      'on this server, and an evicted worker is ignored, not shut out. Invite only whom you trust.',
    serve: async ({ state }, desk) => {
      const stops = [await file.share(state, runKey), answerInvite(desk, bookOf(file, word))];
      return () => {
        for (const stop of stops) stop();
      };
    },
  });
}

function bookOf(file: InvitationFile, word: InvitationBook['word']): InvitationBook {
  return { all: () => file.all(), keep: (all) => file.keep(all), word };
}

const INBOX = `${INBOXES}.coordinator`;

async function serverOf(
  { run, runFolder, servers }: ForeignServerOptions,
  { inbox, credential }: Pick<RunConnection, 'inbox' | 'credential'>,
  rest: Omit<RunServer, 'address' | 'inbox' | 'stop'>,
): Promise<RunServer> {
  const address = { servers, credential };
  await writeConnection(runFolder, { run, servers: [...servers], credential, inbox });
  return {
    ...rest,
    address,
    inbox,
    stop: async (finished) => {
      if (!finished) return;
      const connection = await connectNats({ ...address, name: 'cleaning up', inbox, pingInterval: PING });
      await deleteStreams(connection, subjectsOf(run)).finally(() => connection.close());
    },
  };
}

class SharedGate implements Gate {
  constructor(private readonly invitations: InvitationFile) {}

  asksPerson(key: string, by?: string): boolean {
    return goodFor(this.invitations.all(), by, key).approve;
  }

  async admit(_workers: readonly string[], key: string, by?: string): Promise<string> {
    await this.invitations.use(by, key);
    return JSON.stringify({ access: 'shared' });
  }

  async evict(): Promise<void> {}

  async forget(): Promise<void> {}
}

class SigningGate implements Gate {
  private readonly names = new Map<string, readonly string[]>();
  private readonly evicted = new Set<string>();

  constructor(
    private readonly signer: Signer,
    private readonly run: string,
    private readonly invitations: InvitationFile,
  ) {}

  asksPerson(key: string, by?: string): boolean {
    return goodFor(this.invitations.all(), by, userKey(key)).approve;
  }

  async admit(workers: readonly string[], given: string, by?: string): Promise<string> {
    const key = userKey(given);
    await this.invitations.use(by, key);
    const names = [...new Set([...(this.names.get(key) ?? []), ...workers])];
    this.names.set(key, names);
    return this.pass(key, names);
  }

  async evict(workers: readonly string[]): Promise<void> {
    for (const worker of workers) this.evicted.add(worker);
  }

  async forget(workers: readonly string[]): Promise<void> {
    for (const [key, names] of this.names) {
      const left = names.filter((name) => !workers.includes(name));
      if (left.length === 0) this.names.delete(key);
      else if (left.length < names.length) this.names.set(key, left);
    }
  }

  /**
   * A new pass for the holder of one that we signed, perhaps before we were started anew. Whoever asks: without the
   * key's secret it is of no use.
   */
  async renew(message: Uint8Array): Promise<Uint8Array> {
    let old: ReturnType<typeof readWorkerJwt>;
    try {
      old = readWorkerJwt(this.signer, this.run, new TextDecoder().decode(message));
    } catch (error) {
      throw new MeanfieldError(`Expected a JWT that this run has given: ${messageOf(error)}.`, { cause: error });
    }
    return new TextEncoder().encode(await this.pass(old.key, old.workers));
  }

  private async pass(key: string, workers: readonly string[]): Promise<string> {
    const out = workers.find((worker) => this.evicted.has(worker));
    if (out !== undefined) throw new MeanfieldError(`${out} was evicted. Start the worker anew.`);
    const jwt = await signUser(this.signer, this.run, key, { workers }, seconds(WORKER_VALIDITY));
    return JSON.stringify({ access: 'signed', jwt });
  }
}

function seconds(fromNow: number): number {
  return Math.floor(Date.now() / 1000) + fromNow;
}

/**
 * Workers on a server that runs already must come by credentials.
 *
 * @throws UsageError when nothing gives them any
 */
export function requireCredentials({ signed, shared }: { readonly signed: boolean; readonly shared: boolean }): void {
  if (signed || shared) return;
  throw spelledError(
    UsageError,
    ({ option }) =>
      `On a server that Meanfield does not run, workers need credentials of their own: give ${option('natsSigningKey')} ` +
      `(the file of the account's, by which Meanfield signs a JWT for each worker), or ${option('sharedCredential', true)} ` +
      'to let every worker use yours: each of them can then read, write and delete all that you can. Without ' +
      `${option('nats')} Meanfield runs a server of its own.`,
  );
}
