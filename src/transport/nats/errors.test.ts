import { expect, test } from 'vitest';
import { apiError, CredentialError, connectError, isBeyondQuota, isPassing } from './errors.js';

test('what may pass is asked again, what will not is not', () => {
  const passing = [{ code: 503, err_code: 10008 }, { code: 500, err_code: 10005 }, { code: 503 }];
  const lasting = [
    { code: 503, err_code: 10039 },
    { code: 500, err_code: 10047 },
    { code: 503, err_code: 10023 },
    { code: 400, err_code: 10071 },
    { code: 404 },
  ];
  expect(passing.map(isPassing)).toEqual(passing.map(() => true));
  expect(lasting.map(isPassing)).toEqual(lasting.map(() => false));
});

test('a server without room says what to do, others what they said', () => {
  expect(apiError({ code: 500, err_code: 10047, description: 'insufficient storage' }, 'x').message).toMatch(
    /no room to x: insufficient storage \(10047\).*max_file/s,
  );
  expect(apiError({ code: 500, description: 'write /x: no space left on device' }, 'x').message).toMatch(/no room/);
  const full = { code: 503, err_code: 10077, description: 'maximum bytes exceeded' };
  expect([isBeyondQuota(full), isPassing(full)]).toEqual([true, false]);
  expect(apiError(full, 'store x').message).toMatch(
    /has set aside no room to store x: maximum bytes exceeded \(10077\)/,
  );
  expect(apiError({ code: 400 }, 'x').message).toBe('The NATS server refused x: no reason (400).');
});

test('why there is no connection, and what to do', () => {
  const of = (error: unknown) => connectError(error, ['nats://h:4222']);
  const coded = (code: string, message: string) => Object.assign(new Error(message), { code });
  expect(of(new Error('user authentication expired'))).toBeInstanceOf(CredentialError);
  expect(of(new Error('user authentication expired')).message).toMatch(/expired. Ask for a new invitation/);
  expect(of(new Error("'Authorization Violation'"))).toBeInstanceOf(CredentialError);
  expect(of(coded('CERT_HAS_EXPIRED', 'certificate has expired')).message).toMatch(/not valid any more by this.*clock/);
  expect(of(coded('CERT_NOT_YET_VALID', 'certificate is not yet valid')).message).toMatch(
    /not valid yet by this.*clock/,
  );
  expect(of(coded('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate')).message).toMatch(/No trusted TLS/);
  const nested = new Error('no servers', { cause: new AggregateError([coded('ECONNREFUSED', 'connect')]) });
  expect(of(nested).message).toBe(
    'No NATS server answers at nats://h:4222: no servers. Check that it runs, that the address is right as seen from ' +
      'this machine, and that no firewall is between.',
  );
  expect(of(undefined).message).toMatch(/: no answer\. Check/);
});
