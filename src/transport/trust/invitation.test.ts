import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import { makeCertificate } from './certificate.js';
import { decodeInvitation, encodeInvitation, type Invitation } from './invitation.js';

const now = Date.UTC(2026, 5, 1);
const invitation: Invitation = {
  coordinator: 'c'.repeat(43),
  run: 'book-1',
  servers: ['tls://10.0.0.1:4222'],
  credential: { kind: 'nkey', seed: 'SUAMK2FG4MI6UE3ACF3FK3OIQBCEIEZV7NSWFFEW63UXMRLFM2XLAXK4GY' },
  access: 'own',
  expires: now + 1000,
};

/** A word whose check sum is right, whatever it holds. */
function word(content: string | Buffer, version = 2): string {
  const text = Buffer.from(content).toString('base64url');
  return `mf${version}.${text}.${sha256(text).slice(0, 8)}`;
}

describe('an invitation', () => {
  test('comes back as it was, certificate and all, with white space anywhere', async () => {
    const { certificate } = await makeCertificate(['10.0.0.1']);
    const full = { ...invitation, certificate };
    const text = encodeInvitation(full);
    expect(text).toMatch(/^mf2\.[\w-]+\.[0-9a-f]{8}$/);
    expect(text.length).toBeLessThan(1200);
    expect(decodeInvitation(`  ${text.replace(/(.{70})/g, '$1\r\n')}\n`, now)).toEqual(full);
    expect(decodeInvitation(encodeInvitation(invitation), now)).toEqual(invitation);
  });

  test('is refused when it is none', () => {
    for (const text of ['', 'hello', 'nats://host:4222', 'mf.x.y', 'mfx.a.b', `mf2.${'A'.repeat(30_000)}.00000000`]) {
      expect(() => decodeInvitation(text, now)).toThrow(/Expected an invitation.*cluster start/s);
    }
  });

  test('of another version says so', () => {
    expect(() => decodeInvitation(word('{}', 1), now)).toThrow(/format 1, this Meanfield reads format 2/);
  });

  test('with any character changed, or cut short, is damaged', () => {
    const text = encodeInvitation(invitation);
    fc.assert(
      fc.property(fc.integer({ min: 4, max: text.length - 1 }), fc.constantFrom('A', 'b', '_', '.'), (at, other) => {
        fc.pre(text[at] !== other);
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        expect(() => decodeInvitation(changed, now)).toThrow(/damaged or was copied in part/);
        expect(() => decodeInvitation(text.slice(0, at), now)).toThrow(/damaged or was copied in part/);
      }),
    );
  });

  test('that has expired says when; a clock that is minutes ahead does not matter', () => {
    const text = encodeInvitation(invitation);
    expect(decodeInvitation(text, invitation.expires + 10 * 60_000)).toEqual(invitation);
    expect(() => decodeInvitation(text, invitation.expires + 20 * 60_000)).toThrow(
      /expired.*2026-06-01T00:00:01.000Z.*--resume/s,
    );
  });

  test('of hostile content is refused with a reason, without unpacking it all', () => {
    const contents = [
      deflateRawSync(Buffer.alloc(10_000_000)),
      deflateRawSync('null'),
      deflateRawSync('{"run":"a b"}'),
      deflateRawSync(JSON.stringify({ ...invitation, run: 'a.b' })),
      deflateRawSync(JSON.stringify({ ...invitation, more: 1 })),
      deflateRawSync(JSON.stringify({ ...invitation, servers: [] })),
      deflateRawSync(JSON.stringify({ ...invitation, expires: 'never' })),
      deflateRawSync(Buffer.from([0xff, 0xfe])),
      Buffer.from('not deflated'),
    ];
    for (const content of contents) expect(() => decodeInvitation(word(content), now)).toThrow(/cannot be read/);
  });

  test('of any bytes never fails but with a reason', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, text) => {
        for (const input of [text, `mf2.${text}`, word(Buffer.from(bytes)), word(deflateRawSync(bytes))]) {
          expect(() => decodeInvitation(input, now)).toThrow(MeanfieldError);
        }
      }),
    );
  });
});
