import { webcrypto } from 'node:crypto';
import { provideReflectMetadata } from './reflect-metadata.js';

/** PEM texts. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

const DAY = 24 * 3600 * 1000;
/** From a day ago, since the clocks of other machines may be behind; a run may be resumed years later. */
const BEGAN = -DAY;
const ENDS = 10 * 365 * DAY;

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * A certificate that signs itself, for one server: whoever has it from the invitation needs no authority besides.
 *
 * @param names host names and IP addresses by which the server is reached
 */
export async function makeCertificate(names: readonly string[], now = Date.now()): Promise<Certificate> {
  provideReflectMetadata();
  const x509 = await import('@peculiar/x509');
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=meanfield',
      keys,
      signingAlgorithm: CURVE,
      notBefore: new Date(now + BEGAN),
      notAfter: new Date(now + ENDS),
      extensions: [
        // It is its own authority, which clients ask of a certificate they are told to trust.
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const), value })),
        ),
      ],
    },
    webcrypto as typeof globalThis.crypto,
  );
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${key.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
}
