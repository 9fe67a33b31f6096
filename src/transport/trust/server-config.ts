import { INBOXES } from '../nats/control.js';
import { readSubjects, subjectsOf, workerApi } from '../nats/subjects.js';

/** Who may use a server, by public nkeys. */
export interface Users {
  readonly coordinator: string;
  /** Those of invitations that are good, by their ids. */
  readonly invited: readonly { readonly key: string; readonly id: string }[];
  readonly workers: readonly { readonly key: string; readonly names: readonly string[] }[];
}

export interface ServerSettings {
  readonly run: string;
  /** `host:port` to listen at. */
  readonly listen: string;
  readonly storage: string;
  /** Bytes that it may store there. */
  readonly room: number;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly users: Users;
}

/** Where answers to the holder of a key go. */
export function inboxOf(key: string): string {
  return `${INBOXES}.${key}`;
}

/**
 * The configuration of a server that we run, in the server's own language.
 *
 * Each worker has an account of its own, into which only its own subjects are imported. Permissions in one account
 * would not do: whoever may read a stored message may have the server send it to any subject, as the answer, and so
 * write where they have no right to.
 */
export function serverConfig({ run, users, ...settings }: ServerSettings): string {
  const subjects = subjectsOf(run);
  const read = readSubjects(subjects);
  const heard = [`mf.${run}.all`, `${subjects.states}.>`];
  const join = (id: string) => `mf.${run}.ask.join.${id}`;
  const services = [join('*'), `mf.${run}.up.>`, `${subjects.blobs}.>`, ...read];
  const streams = [...heard, `mf.${run}.down.>`];
  const lines = [
    '# Written by Meanfield, which writes it anew whenever a worker comes or is evicted.',
    `server_name: ${quoted(`meanfield-${run}`)}`,
    `listen: ${quoted(settings.listen)}`,
    'max_payload: 8MB',
    // A slow line may take its time; a dead one is found by pings.
    'max_pending: 256MB',
    'write_deadline: "60s"',
    'ping_interval: "15s"',
    'ping_max: 3',
    `tls { ${tls(settings)} }`,
    `jetstream { store_dir: ${quoted(settings.storage)}, max_file: ${settings.room} }`,
    'accounts {',
    '  RUN {',
    '    jetstream: enabled',
    `    users: [ { nkey: ${users.coordinator} } ]`,
    `    exports: [ ${[...services.map(exported('service')), ...streams.map(exported('stream'))].join(', ')} ]`,
    '  }',
  ];
  for (const { key, id } of users.invited) {
    const rights = { publish: [join(id)], hear: [], imports: [imported('service', join(id), undefined, true)] };
    lines.push(...account(`J_${id}`, key, rights, DOOR));
  }
  for (const { key, names } of users.workers) {
    const write = names.flatMap((name) => [`mf.${run}.up.${name}`, `${subjects.blobs}.${name}.>`]);
    const hear = [...heard, ...names.map((name) => `mf.${run}.down.${name}`)];
    const local = (subject: string) => subject.replace('$JS.API', workerApi(run));
    const imports = [
      ...write.map((subject) => imported('service', subject)),
      ...read.map((subject) => imported('service', subject, local(subject))),
      ...hear.map((subject) => imported('stream', subject)),
    ];
    const rights = { publish: [...write, ...read.map(local)], hear, imports };
    lines.push(...account(`W_${key}`, key, rights, limitsOf(names.length)));
  }
  return [...lines, '}', ''].join('\n');
}

interface Rights {
  readonly publish: readonly string[];
  readonly hear: readonly string[];
  readonly imports: readonly string[];
}

interface Limits {
  readonly connections: number;
  readonly subscriptions: number;
  /** Bytes of a message. */
  readonly payload: number;
}

/** Bytes of a message, at most: a chunk of a blob has 1 MiB. */
const PAYLOAD = 2 * 2 ** 20;
/** A process has two connections; the server may take lost ones for living for a while. */
const WORKER: Limits = { connections: 8, subscriptions: 64, payload: PAYLOAD };
/** All who come by one invitation, until they are let in. */
const DOOR: Limits = { connections: 1024, subscriptions: 8192, payload: PAYLOAD };
/** What a key that speaks for so many workers may take of a server. */
export function limitsOf(workers: number): Limits {
  return { ...WORKER, subscriptions: WORKER.subscriptions + 4 * workers };
}

function account(name: string, key: string, { publish, hear, imports }: Rights, limits: Limits): string[] {
  const subscribe = [...hear, `${inboxOf(key)}.>`];
  return [
    `  ${name} {`,
    `    users: [ { nkey: ${key}, permissions: { publish: ${list(publish)}, subscribe: ${list(subscribe)} } } ]`,
    `    imports: [ ${imports.join(', ')} ]`,
    `    limits { max_connections: ${limits.connections}, max_subscriptions: ${limits.subscriptions}, max_payload: ${limits.payload} }`,
    '  }',
  ];
}

function exported(kind: 'service' | 'stream'): (subject: string) => string {
  return (subject) => `{ ${kind}: ${quoted(subject)} }`;
}

/** @param share whether the coordinator is told where who asks is seen */
function imported(kind: 'service' | 'stream', subject: string, to?: string, share = false): string {
  const more = `${to === undefined ? '' : `, to: ${quoted(to)}`}${share ? ', share: true' : ''}`;
  return `{ ${kind}: { account: RUN, subject: ${quoted(subject)} }${more} }`;
}

function tls({ certificateFile, keyFile }: Omit<ServerSettings, 'run' | 'users'>): string {
  return `cert_file: ${quoted(certificateFile)}, key_file: ${quoted(keyFile)}, timeout: 10`;
}

function list(subjects: readonly string[]): string {
  return `[ ${subjects.map(quoted).join(', ')} ]`;
}

/** A string in the server's language. Names are checked elsewhere; a path may hold quotes. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
