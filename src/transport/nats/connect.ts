import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Authenticator,
  AuthorizationError,
  credsAuthenticator,
  jwtAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
  UserAuthenticationExpiredError,
} from '@nats-io/nats-core';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { MeanfieldError, messageOf, UsageError } from '../../base/errors.js';
import { CredentialError, connectError } from './errors.js';

/** How one proves who one is. A user and password, or a token, may also stand in the URL. */
export type Credential =
  | { readonly kind: 'none' }
  /** An nkey: the server knows the public half. */
  | { readonly kind: 'nkey'; readonly seed: string }
  /** An nkey and what its account signed about it. */
  | { readonly kind: 'jwt'; readonly seed: string; readonly jwt: string | (() => string) }
  /** A `.creds` file's content: JWT and seed. */
  | { readonly kind: 'creds'; readonly text: string };

/** Where the server is and how to reach it. */
export interface NatsAddress {
  /** Such as `nats://host:4222` or `tls://...`, tried in this order. */
  readonly servers: readonly string[];
  readonly credential: Credential;
  /** The one certificate to trust, PEM; without it those that Node trusts. */
  readonly certificate?: string | undefined;
}

export interface ConnectOptions extends NatsAddress {
  /** Shown in the server's lists. */
  readonly name: string;
  /** What replies come to; permissions name it. */
  readonly inbox: string;
  /** Milliseconds between signs of life; three that get no answer end the connection. */
  readonly pingInterval: number;
}

/** Milliseconds for one server to answer at first. */
const PATIENCE = 5000;
/** Times that a refusal is put to the test, and milliseconds after the first. */
const ATTEMPTS = 4;
const PAUSE = 150;
/** A connection that comes back is refused for good after so many times in a row, over so many milliseconds. */
const REFUSALS = 4;
const REFUSED_FOR = 3000;
/** Times that a server which does not answer in time is asked. */
const UNANSWERED = 2;
/** A server of the default configuration takes 1 MiB; a control message or chunk of ours needs half of it. */
const LEAST_PAYLOAD = 512 * 1024;
/** Direct Get of the last message by subject came with 2.9. */
const LEAST_VERSION = [2, 9, 0] as const;

/**
 * Connects, and goes on connecting for ever when the connection is lost later on, until it is refused for good:
 * then it is closed.
 *
 * @throws RefusedError when the credential is not taken
 * @throws MeanfieldError when no server answers, TLS fails, the server is too old or takes too small messages
 */
export async function connectNats(options: ConnectOptions): Promise<NatsConnection> {
  const servers = options.servers.map(checkedUrl);
  const connection = await connectOrRefused(servers, {
    servers: servers.map(({ host }) => host),
    name: options.name,
    inboxPrefix: options.inbox,
    authenticator: [...authenticators(options.credential), ...servers.flatMap(({ login }) => login)],
    noRandomize: true,
    ignoreClusterUpdates: options.certificate !== undefined,
    timeout: PATIENCE,
    reconnectTimeWait: 500,
    maxReconnectAttempts: -1,
    // A second refusal in its whole life would end it.
    ignoreAuthErrorAbort: true,
    pingInterval: options.pingInterval,
    maxPingOut: 3,
    ...tlsOf(options, servers),
  });
  try {
    checkServer(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  void closeWhenRefused(connection);
  return connection;
}

async function closeWhenRefused(connection: NatsConnection): Promise<void> {
  let [since, times] = [0, 0];
  for await (const status of connection.status()) {
    if (status.type === 'reconnect') times = 0;
    if (status.type !== 'error' || !isRefusal(status.error)) continue;
    if (times++ === 0) since = performance.now();
    if (times >= REFUSALS && performance.now() - since >= REFUSED_FOR) await connection.close();
  }
}

/** Whether the server takes the credential no more. */
export function isRefusal(error: Error): boolean {
  return error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError;
}

/** A server that reads its users anew refuses, or leaves waiting, everybody who comes just then (2.9.10). */
async function connectOrRefused(
  servers: readonly ServerUrl[],
  options: NodeConnectionOptions,
): Promise<NatsConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect(options);
    } catch (error) {
      const shown = servers.map((server) => server.shown);
      const failure = connectError(error, shown);
      const most = failure instanceof CredentialError ? ATTEMPTS : /timeout/i.test(messageOf(error)) ? UNANSWERED : 1;
      if (attempt >= most) throw failure;
      await sleep(attempt * PAUSE);
    }
  }
}

interface ServerUrl {
  readonly host: string;
  /** Without a password. */
  readonly shown: string;
  readonly tls: boolean;
  readonly login: readonly Authenticator[];
}

function checkedUrl(text: string): ServerUrl {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `nats://${text}`);
  } catch {
    throw new UsageError(`Expected the URL of a NATS server, such as nats://host:4222; got ${text}.`);
  }
  if (!['nats:', 'tls:'].includes(url.protocol) || url.hostname === '') {
    throw new UsageError(
      `Expected nats://host:port or tls://host:port, got ${url.protocol}//${url.host}. From Node, WebSocket is not needed.`,
    );
  }
  const host = `${url.hostname}:${url.port || '4222'}`;
  const user = decodeURIComponent(url.username);
  const pass = decodeURIComponent(url.password);
  const login: Authenticator[] = [];
  if (user !== '') login.push(() => (url.password === '' ? { auth_token: user } : { user, pass }));
  return { host, shown: `${url.protocol}//${host}`, tls: url.protocol === 'tls:', login };
}

function authenticators(credential: Credential): Authenticator[] {
  const bytes = (text: string) => new TextEncoder().encode(text);
  switch (credential.kind) {
    case 'none':
      return [];
    case 'nkey':
      return [nkeyAuthenticator(bytes(credential.seed))];
    case 'jwt':
      return [jwtAuthenticator(credential.jwt, bytes(credential.seed))];
    case 'creds':
      return [credsAuthenticator(bytes(credential.text))];
  }
}

function tlsOf({ certificate }: ConnectOptions, servers: readonly ServerUrl[]): { tls?: TlsOptions } {
  if (certificate !== undefined) {
    // Whoever holds this certificate's key is the server, under whatever name or address it was reached.
    const pinned = { ca: certificate, checkServerIdentity: () => undefined };
    return { tls: pinned };
  }
  return servers.some(({ tls }) => tls) ? { tls: {} } : {};
}

function checkServer({ info }: NatsConnection): void {
  if (!info) throw new MeanfieldError('The NATS server tells nothing of itself; is it one?');
  const version = info.version.split(/[.-]/).map(Number);
  const older = LEAST_VERSION.findIndex((least, i) => version[i] !== least);
  if (older >= 0 && !((version[older] ?? 0) > LEAST_VERSION[older]!)) {
    throw new MeanfieldError(
      `The NATS server is version ${info.version}; Meanfield needs ${LEAST_VERSION.join('.')} or newer. Update it.`,
    );
  }
  if (info.max_payload < LEAST_PAYLOAD) throw payloadError(info.max_payload, LEAST_PAYLOAD);
}

/** Says what to set where messages are too large for a server. */
export function payloadError(allowed: number, needed: number): MeanfieldError {
  return new MeanfieldError(
    `The NATS server takes messages of at most ${allowed} bytes; ${needed} are needed. Set max_payload: 8MB in its ` +
      'configuration and reload it (nats-server --signal reload).',
  );
}

/** The account's JetStream. @throws MeanfieldError when the server has none for us */
export function jetStreamError(error: unknown): MeanfieldError {
  return new MeanfieldError(
    `The NATS server has no JetStream for this account: ${messageOf(error)}. Start it with -js, or give its ` +
      'configuration a jetstream block (and the account jetstream: enabled).',
    { cause: error },
  );
}
