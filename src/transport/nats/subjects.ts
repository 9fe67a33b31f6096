import { UsageError } from '../../base/errors.js';
import type { ControlAddress } from '../transport.js';

/** One segment of a subject or key: letters, digits, `-` and `_`. */
const SEGMENT = /^[\w-]{1,128}$/;

/** The names that a run bears on a NATS server: what permissions are written in. */
export interface Subjects {
  readonly run: string;
  /** The stream that keeps the chunks of the run's own blobs. */
  readonly runStream: string;
  /** The stream behind the key-value bucket that keeps the state. */
  readonly stateStream: string;
  /** What each chunk's subject begins with, without the key. */
  readonly blobs: string;
  readonly states: string;
  /** What requests to JetStream begin with. */
  readonly api: string;
  readonly access: Access;
}

/**
 * What a client may ask of JetStream.
 *
 * - `all`: everything
 * - `signed`: by a JWT, to write under its own names, and to read from the nearest server; from the leader the run's own
 * - `isolated`: from an account of its own, which JetStream's lets write under its own names, and read
 */
export type Access = 'all' | 'signed' | 'isolated';

/** Whose blobs the coordinator's are. */
export const RUN_OWNER = 'run';

/** JetStream as a worker reaches it from an account of its own. */
export function workerApi(run: string): string {
  return `mf.${run}.api`;
}

/** @throws UsageError when the name of the run cannot stand in a subject */
export function subjectsOf(run: string, access: Access = 'all'): Subjects {
  if (!SEGMENT.test(run)) {
    throw new UsageError(`A run's name on NATS is 1 to 128 letters, digits, - and _; got ${JSON.stringify(run)}.`);
  }
  return {
    run,
    runStream: `mf-${run}`,
    stateStream: `KV_mf-${run}`,
    blobs: `mf.${run}.b`,
    states: `$KV.mf-${run}`,
    api: access === 'isolated' ? workerApi(run) : '$JS.API',
    access,
  };
}

/** The stream that keeps an owner's blobs. A run's name has no `@`, so no other run has a stream of that name. */
export function streamOf({ runStream }: Subjects, owner: string): string {
  return owner === RUN_OWNER ? runStream : `${runStream}@${segment(owner)}`;
}

/** Whose blobs a stream keeps; undefined when it is none of a worker of the run. */
export function ownerOfStream({ runStream }: Subjects, stream: string): string | undefined {
  return stream.startsWith(`${runStream}@`) ? stream.slice(runStream.length + 1) : undefined;
}

/** What whoever reads asks JetStream for: blobs of any owner, whose streams come and go, and the state. */
export function readSubjects({ blobs, stateStream }: Subjects): readonly string[] {
  return [`$JS.API.DIRECT.GET.*.${blobs}.>`, `$JS.API.DIRECT.GET.${stateStream}.>`];
}

/** Where a control message goes. */
export function controlSubject(run: string, address: ControlAddress): string {
  switch (address.to) {
    case 'up':
    case 'down':
      return `mf.${run}.${address.to}.${address.worker === '*' ? '*' : segment(address.worker)}`;
    case 'all':
      return `mf.${run}.all`;
    case 'ask':
      return `mf.${run}.ask.${segment(address.what)}${address.by === undefined ? '' : `.${address.by === '*' ? '*' : segment(address.by)}`}`;
  }
}

/** Who a control message is from or for, by its subject; undefined when the subject is none of ours. */
export function addressOf(run: string, subject: string): ControlAddress | undefined {
  const parts = subject.split('.');
  if (parts[0] !== 'mf' || parts[1] !== run) return undefined;
  const name = parts[3];
  if (parts[2] === 'all' && parts.length === 3) return { to: 'all' };
  if (name === undefined || parts.length !== 4) return undefined;
  if (parts[2] === 'up' || parts[2] === 'down') return { to: parts[2], worker: name };
  return parts[2] === 'ask' ? { to: 'ask', what: name } : undefined;
}

/** A key such as `owner/round/3` as the tail of a subject. @throws Error when a segment holds anything else */
export function keySubject(key: string): string {
  return key.split('/').map(segment).join('.');
}

function segment(text: string): string {
  if (!SEGMENT.test(text)) throw new Error(`${JSON.stringify(text)} cannot stand in a subject`);
  return text;
}
