import { INBOXES } from '../nats/control.js';
import { subjectsOf, workerApi } from '../nats/subjects.js';

/** Who may use a server, by public nkeys. */
export interface Users {
  readonly coordinator: string;
  /** The invitation's; undefined when it has expired. */
  readonly join: string | undefined;
  readonly workers: readonly { readonly key: string; readonly names: readonly string[] }[];
}

export interface ServerSettings {
  readonly run: string;
  /** `host:port` to listen at. */
  readonly listen: string;
  readonly storage: string;
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
  const read = [subjects.blobStream, subjects.stateStream].map((stream) => `$JS.API.DIRECT.GET.${stream}.>`);
  const heard = [`mf.${run}.all`, `${subjects.states}.>`];
  const join = `mf.${run}.ask.join`;
  const services = [join, `mf.${run}.up.>`, `${subjects.blobs}.>`, ...read];
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
    `jetstream { store_dir: ${quoted(settings.storage)} }`,
    'accounts {',
    '  RUN {',
    '    jetstream: enabled',
    `    users: [ { nkey: ${users.coordinator} } ]`,
    `    exports: [ ${[...services.map(exported('service')), ...streams.map(exported('stream'))].join(', ')} ]`,
    '  }',
  ];
  if (users.join !== undefined) {
    lines.push(...account('JOIN', users.join, { publish: [join], hear: [], imports: [imported('service', join)] }));
  }
  for (const { key, names } of users.workers) {
    const write = names.flatMap((name) => [`mf.${run}.up.${name}`, `${subjects.blobs}.${name}.>`]);
    const hear = [...heard, ...names.map((name) => `mf.${run}.down.${name}`)];
    const local = (subject: string) => subject.replace('$JS.API', workerApi(run));
    const imports = [
      ...[join, ...write].map((subject) => imported('service', subject)),
      ...read.map((subject) => imported('service', subject, local(subject))),
      ...hear.map((subject) => imported('stream', subject)),
    ];
    lines.push(...account(`W_${key}`, key, { publish: [join, ...write, ...read.map(local)], hear, imports }));
  }
  return [...lines, '}', ''].join('\n');
}

interface Rights {
  readonly publish: readonly string[];
  readonly hear: readonly string[];
  readonly imports: readonly string[];
}

function account(name: string, key: string, { publish, hear, imports }: Rights): string[] {
  const subscribe = [...hear, `${inboxOf(key)}.>`];
  return [
    `  ${name} {`,
    `    users: [ { nkey: ${key}, permissions: { publish: ${list(publish)}, subscribe: ${list(subscribe)} } } ]`,
    `    imports: [ ${imports.join(', ')} ]`,
    '  }',
  ];
}

function exported(kind: 'service' | 'stream'): (subject: string) => string {
  return (subject) => `{ ${kind}: ${quoted(subject)} }`;
}

function imported(kind: 'service' | 'stream', subject: string, to?: string): string {
  return `{ ${kind}: { account: RUN, subject: ${quoted(subject)} }${to === undefined ? '' : `, to: ${quoted(to)}`} }`;
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
