import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeCertificate } from './certificate.js';

test('a certificate signs itself, names the server, is valid since a day, and fits its key', async () => {
  const now = Date.UTC(2026, 0, 10);
  const { certificate, key } = await makeCertificate(['trainer.example', '10.1.2.3'], now);
  const read = new X509Certificate(certificate);
  expect(read.subjectAltName).toBe('DNS:trainer.example, IP Address:10.1.2.3');
  expect(read.ca).toBe(true);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(new Date(read.validFrom).getTime()).toBe(Date.UTC(2026, 0, 9));
  expect(new Date(read.validTo).getUTCFullYear()).toBe(2036);
  const other = await makeCertificate(['trainer.example'], now);
  expect(read.checkPrivateKey(createPrivateKey(other.key))).toBe(false);
});
