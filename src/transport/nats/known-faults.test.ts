import { expect, test } from 'vitest';
import { knownFaults } from './known-faults.js';

test('versions with known faults are told, with what to install', () => {
  const said = knownFaults('2.9.10', undefined);
  expect(said).toMatch(/version 2\.9\.10.*CVE-2026-27571, CVE-2026-27889.*install 2\.11\.14 or 2\.12\.5, or newer/);
  expect(knownFaults('2.9.10', false)).toMatch(/listens for none, so they cannot be reached/);
  expect(knownFaults('2.11.13', undefined)).toMatch(/\(CVE-2026-27889\)/);
  expect(knownFaults('2.12.4-RC.1', undefined)).toMatch(/\(CVE-2026-27889\)/);
});

test('those that are free of them, and those before, are not', () => {
  for (const version of ['2.1.9', '2.11.14', '2.11.20', '2.12.5', '2.13.0', '3.0.0', 'no version', ''])
    expect(knownFaults(version, undefined), version).toBeUndefined();
});
