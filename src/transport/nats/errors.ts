import { MeanfieldError, messageOf } from '../../base/errors.js';

/** The system would not let us do this. */
export class CredentialError extends MeanfieldError {
  override name = 'RefusedError';
}

/** A message is not stored: above all because its stream is full; or is larger than the stream takes. */
const STORE_FAILED = 10077;
const TOO_LARGE = 10054;
/** What JetStream says when there is no room: of the disk, of the account, of the stream. */
const NO_ROOM = new Set([10002, 10023, 10028, 10047, STORE_FAILED]);
/** JetStream is off: for this account, or altogether. */
const NO_JETSTREAM = new Set([10039, 10076]);
/** Room lacks only until a leader is chosen, a peer is back or a stream has caught up. */
const SHORTLY = new Set([10004, 10005, 10008, 10009, 10013]);

/** The error in a reply of JetStream. */
export interface ApiError {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** Whether a message is refused because there is one of its subject, which is written once. */
export function isTaken({ description }: ApiError): boolean {
  return description !== undefined && /maximum messages per subject/i.test(description);
}

/** Whether a message is refused because its stream would come to hold more than it may, or takes none of that size. */
export function isBeyondQuota({ err_code, description }: ApiError): boolean {
  return err_code === TOO_LARGE || (err_code === STORE_FAILED && /maximum bytes exceeded/i.test(description ?? ''));
}

/** Turns JetStream's refusal into an error that says what to do. */
export function apiError(error: ApiError, what: string): MeanfieldError {
  const said = `${error.description ?? 'no reason'} (${error.err_code ?? error.code})`;
  if (isTaken(error)) return new MeanfieldError(`What is there already is not overwritten: cannot ${what}.`);
  if (isBeyondQuota(error))
    return new MeanfieldError(
      `The NATS server has set aside no room to ${what}: ${said}. What was stored before is unharmed; what nobody ` +
        'needs any more is deleted from time to time.',
    );
  if (NO_ROOM.has(error.err_code ?? 0) || /no space left|insufficient resources/i.test(said)) {
    return new MeanfieldError(
      `The NATS server has no room to ${what}: ${said}. Free disk space there, or raise max_file in its jetstream ` +
        'block; what was acknowledged before is unharmed.',
    );
  }
  return new MeanfieldError(`The NATS server refused ${what}: ${said}.`);
}

/** Whether asking again in a moment may help. */
export function isPassing({ code, err_code = 0 }: ApiError): boolean {
  if (SHORTLY.has(err_code)) return true;
  return code === 503 && !NO_ROOM.has(err_code) && !NO_JETSTREAM.has(err_code);
}

/**
 * Why no connection came about, and what to do.
 *
 * @param servers the addresses that were tried
 */
export function connectError(error: unknown, servers: readonly string[]): MeanfieldError {
  const where = servers.join(', ');
  const options = { cause: error };
  const all = causes(error);
  const text = all.map(messageOf).join('; ');
  const codes = all.map((one) => String((one as NodeJS.ErrnoException | undefined)?.code ?? ''));
  const is = (pattern: RegExp) => pattern.test(text) || codes.some((code) => pattern.test(code));
  if (is(/expired/i) && !is(/CERT_HAS_EXPIRED/)) {
    return new CredentialError(
      `The NATS server at ${where} says that our credential has expired. Ask for a new invitation: the coordinator ` +
        'prints one when it starts.',
      options,
    );
  }
  if (is(/authorization|authentication/i)) {
    return new CredentialError(
      `The NATS server at ${where} refused our credential. The invitation may be withdrawn, this worker evicted, or ` +
        'the server another one; ask for a new invitation.',
      options,
    );
  }
  const untimely = is(/NOT_YET_VALID|not yet valid/i)
    ? 'not valid yet'
    : is(/CERT_HAS_EXPIRED/)
      ? 'not valid any more'
      : '';
  if (untimely !== '') {
    return new MeanfieldError(
      `The certificate of the NATS server at ${where} is ${untimely} by this machine's clock, which says ` +
        `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC. Compare that with the server's clock, set the ` +
        'one that is wrong (timedatectl set-ntp true), and start again.',
      options,
    );
  }
  if (is(/SELF_SIGNED|UNABLE_TO|CERT_|ERR_TLS|certificate|handshake|EPROTO|secure|tls/i)) {
    return new MeanfieldError(
      `No trusted TLS connection to the NATS server at ${where}: ${first(text)}. The certificate is not that of the ` +
        'invitation, or the server is another one; ask for a new invitation, or set NODE_EXTRA_CA_CERTS to the CA.',
      options,
    );
  }
  return new MeanfieldError(
    `No NATS server answers at ${where}: ${first(text)}. Check that it runs, that the address is right as seen from ` +
      'this machine, and that no firewall is between.',
    options,
  );
}

function causes(error: unknown): unknown[] {
  const found: unknown[] = [];
  const visit = (one: unknown): void => {
    if (one === undefined || one === null || found.includes(one)) return;
    found.push(one);
    if (one instanceof AggregateError) for (const inner of one.errors) visit(inner);
    if (one instanceof Error) visit(one.cause);
  };
  visit(error);
  return found;
}

function first(text: string): string {
  return (text.split('; ')[0] || 'no answer').replace(/\.$/, '');
}
