import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';

/** How one proves who one is, as it is written down. */
export const credential = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('nkey'), seed: z.string().max(128) }),
  z.strictObject({ kind: z.literal('jwt'), seed: z.string().max(128), jwt: z.string().max(8192) }),
  z.strictObject({ kind: z.literal('creds'), text: z.string().max(8192) }),
]);

const schema = z.strictObject({
  /** Of this invitation among those to the run. */
  id: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional(),
  run: z.string().regex(/^[\w-]{1,128}$/),
  /** Public key by which the run's coordinators sign what they say: 32 bytes in base64url. */
  coordinator: z.string().regex(/^[\w-]{43}$/),
  /** Tried in this order. */
  servers: z.array(z.string().max(512)).min(1).max(16),
  credential,
  /** The server's own certificate, PEM; without it those that Node trusts. */
  certificate: z.string().max(8192).optional(),
  /**
   * What a worker gets when it is let in: `own`, an account of its own on a server that we run; `signed`, a JWT;
   * `shared`, nothing, as the credential here is everybody's.
   */
  access: z.enum(['own', 'signed', 'shared']),
  /** Milliseconds since 1970, by the clock of the machine that made it. */
  expires: z.number().nonnegative(),
});

/** All that another machine needs to take part in a run. */
export type Invitation = z.output<typeof schema>;

const NAME = 'mf';
const VERSION = 2;
/** Of another machine's clock against ours. */
const CLOCKS_DIFFER = 15 * 60_000;
const LONGEST = 20_000;
const LONGEST_CONTENT = 64_000;
const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

/** An invitation as one word that can be copied: `mf2.` with its content and a check sum. */
export function encodeInvitation(invitation: Invitation): string {
  const certificate = invitation.certificate?.replace(BEGIN, '').replace(END, '').replace(/\s/g, '');
  const content = deflateRawSync(JSON.stringify({ ...invitation, certificate })).toString('base64url');
  return `${NAME}${VERSION}.${content}.${checksum(content)}`;
}

/**
 * @param text as a user gives it: white space, as a mail program may have put in, does not matter
 * @param now milliseconds since 1970
 * @throws MeanfieldError when it is none, of another version, damaged or expired
 */
export function decodeInvitation(text: string, now = Date.now()): Invitation {
  const word = text.replace(/\s/g, '');
  const parts = word.split('.');
  const version = new RegExp(`^${NAME}(\\d{1,4})$`).exec(parts[0]!)?.[1];
  if (version === undefined || word.length > LONGEST) {
    const got = word.length > 24 ? `${word.slice(0, 24)}...` : word;
    throw new MeanfieldError(
      `Expected an invitation, a word that begins with ${NAME}${VERSION}. and that meanfield cluster start has printed; ` +
        `got ${JSON.stringify(got)}.`,
    );
  }
  if (Number(version) !== VERSION) {
    throw new MeanfieldError(
      `This invitation has format ${version}, this Meanfield reads format ${VERSION}. Use the same version of ` +
        'Meanfield on all machines.',
    );
  }
  if (parts.length !== 3 || checksum(parts[1]!) !== parts[2]) {
    throw new MeanfieldError(
      'This invitation is damaged or was copied in part. Copy all of it, up to its last character.',
    );
  }
  const invitation = parse(parts[1]!);
  if (invitation.expires + CLOCKS_DIFFER < now) {
    throw new MeanfieldError(
      `This invitation has expired: it was valid until ${new Date(invitation.expires).toISOString()}. The coordinator ` +
        'prints a new one when it starts (meanfield cluster start --resume); if that time is not past, set this ' +
        "machine's clock.",
    );
  }
  return invitation;
}

function parse(content: string): Invitation {
  let value: unknown;
  try {
    const bytes = inflateRawSync(Buffer.from(content, 'base64url'), { maxOutputLength: LONGEST_CONTENT });
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new MeanfieldError(`This invitation cannot be read: ${messageOf(error)}. Ask for a new one.`, {
      cause: error,
    });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    throw new MeanfieldError(`This invitation cannot be read: ${path.join('.')} ${message}. Ask for a new one.`);
  }
  const { certificate, ...rest } = result.data;
  if (certificate === undefined) return rest;
  return { ...rest, certificate: `${BEGIN}\n${certificate.replace(/(.{1,64})/g, '$1\n')}${END}\n` };
}

function checksum(content: string): string {
  return sha256(content).slice(0, 8);
}
