import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { MeanfieldError } from './errors.js';
import { asSystemError, shownPath } from './system-errors.js';

const coded = (code: string, more: object = {}) => Object.assign(new Error(`${code}: words`), { code, ...more });

test('every code of the system that carries a call is the system’s refusal, never ours', () => {
  for (const code of Object.keys(constants.errno)) {
    const error = asSystemError(coded(code, { syscall: 'open', path: '/a' }));
    expect(error, code).toBeInstanceOf(MeanfieldError);
  }
});

test('tells what was tried, what the code means and what to do', () => {
  expect(String(asSystemError(coded('ENOSPC'), 'write a'))).toBe(
    'MeanfieldError: Cannot write a: no disk space left (ENOSPC). What was saved before is unharmed; free some space, then continue.',
  );
  expect(String(asSystemError(coded('EACCES', { syscall: 'scandir', path: '/b' })))).toContain('Cannot list /b: perm');
  const address = { syscall: 'listen', address: '0.0.0.0', port: 80 };
  expect(String(asSystemError(coded('EADDRINUSE', address)))).toContain('Cannot listen at 0.0.0.0:80: another program');
  expect(String(asSystemError(coded('EMFILE', { syscall: 'spawn nats-server', path: 'nats-server' })))).toContain(
    'Cannot start nats-server: too many files',
  );
  expect(String(asSystemError(coded('EIO'), 'read b', 'Look'))).toMatch(/\(EIO\)\. Look\.$/);
});

test('knows a failed allocation, and passes everything else on', () => {
  expect(asSystemError(new RangeError('Array buffer allocation failed'))).toBeInstanceOf(MeanfieldError);
  const mistakes = [
    new RangeError('toFixed() digits'),
    new Error('x'),
    coded('ERR_INVALID_ARG_TYPE'),
    undefined,
    'text',
    3,
  ];
  for (const error of mistakes) expect(asSystemError(error)).toBe(error);
  const ours = new MeanfieldError('ours');
  expect(asSystemError(ours, 'write a')).toBe(ours);
});

test('shows a long path by its ends', () => {
  expect(shownPath('/a/b')).toBe('/a/b');
  expect(shownPath('x'.repeat(300))).toMatch(/^x{100}\.\.\.x{40} \(300 characters\)$/);
});
